"""Plans in tests: of objects that the test names, or of some of the shipped dialogs."""

from cdd_icm.data.batch import Collator
from cdd_icm.model.conditioning import InstructionTokenizer
from cdd_icm.plan.annotated.plan import AnnotatedPlan
from cdd_icm.plan.shared.vocabulary import Vocabulary


def plan_of(config, classes, traits=None, forms=None, several=False):
    """What `CDDICM` takes to plan with these classes, `several` a turn; None where the config plans
    nothing."""
    if config.plan.kind == "none":
        return None
    return AnnotatedPlan.settings_for(config, Vocabulary(tuple(classes), traits or {}, forms or {}), several)


def annotated_collator(config, dialogs, tokenizer):
    """The collator of a run on these dialogs."""
    plan = AnnotatedPlan(width=8, text_width=8, **AnnotatedPlan.settings(config, dialogs) | {"heads": 2})
    tokenize = InstructionTokenizer(tokenizer, config.encoder.history, config.encoder.speaker)
    encode = plan.truth_encoder(config, dialogs, tokenize)
    return Collator(config, tokenize, encode, AnnotatedPlan.augmentation(config, dialogs))
