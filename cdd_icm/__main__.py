from cdd_icm.cli import main

raise SystemExit(main())
