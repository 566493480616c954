"""Systems of composed image retrieval, one a file or folder, each a `retrieval.systems.base.System`."""
