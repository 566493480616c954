"""The page: its parts, and which of them calls what."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from cdd_icm.studio import style
from cdd_icm.studio.engine import Engine
from cdd_icm.studio.events import Events
from cdd_icm.studio.finder import Finder
from cdd_icm.studio.limits import VisitorLimits
from cdd_icm.studio.views import MODEL, STEPS, VIEWS, WHOLE
from cdd_icm.studio.visits import Visits

HELP = """
<p><kbd>Enter</kbd> draws. <kbd>Esc</kbd> cancels. <kbd>Alt</kbd>+<kbd>Z</kbd> undoes a turn,
<kbd>Alt</kbd>+<kbd>Shift</kbd>+<kbd>Z</kbd> brings it back. <kbd>Alt</kbd>+<kbd>1</kbd> to <kbd>8</kbd>
choose a candidate. <kbd>Alt</kbd>+<kbd>V</kbd> changes the view. <kbd>/</kbd> goes to the sentence.</p>
<p>Click a turn to look at it; what you say then begins a branch there, and nothing is lost.</p>
<p>The address of this page is a link to the turn that is shown. Whoever opens it elsewhere gets a copy.</p>
"""


def build_page(
    engines: Sequence[Engine], finder: Finder | None, limits: VisitorLimits | None, sessions_folder: Path
) -> gr.Blocks:
    """The studio's page, for `gr.mount_gradio_app(..., **style.mount_options())`.

    Args:
        engines: the models; a dialog begins with the first.
        finder: finds pictures, or None for a page without "Find".
        limits: of each visitor; None for the default ones.
        sessions_folder: where the dialogs are saved after every turn.
    """
    visits = Visits(engines, sessions_folder, limits)
    events = Events(engines, visits, finder)
    with gr.Blocks(title="CDD-ICM studio", analytics_enabled=False, delete_cache=(600, 1800)) as page:
        ui = _layout(events, list(events.engines), visits.limits)
        _wire(ui, events, page)
    return page.queue(default_concurrency_limit=None)


def _layout(events: Events, models: list[str], limits: VisitorLimits) -> dict[str, Any]:
    """All parts by name."""
    ui: dict[str, Any] = {
        "credentials": gr.Textbox(visible="hidden", elem_id="credentials", label="credentials"),
        "search": gr.Textbox(visible="hidden", label="search"),
        "ended": gr.Textbox(visible="hidden", label="ended"),
        "address": gr.HTML("", elem_classes="hiding", html_template="<i></i>", js_on_load=style.ADDRESS),
        "key": gr.HTML("", elem_classes="hiding", html_template="<i></i>", js_on_load=style.KEY),
        "download": gr.HTML("", elem_classes="hiding", html_template="<i></i>", js_on_load=style.SAVE),
    }
    limit = {"html_template": "<i></i>", "js_on_load": style.TOO_LARGE}
    ui["too_large"] = gr.HTML(str(limits.upload), elem_classes="hiding", **limit)
    with gr.Row(elem_id="head"):
        gr.HTML("<h1>CDD-ICM studio</h1><p>Draw by conversation: each sentence changes the picture.</p>")
        ui["theme"] = gr.Button("Light or dark", size="sm", scale=0, min_width=130)
    with gr.Row(elem_id="columns"):
        with gr.Column(scale=5, min_width=300):
            _draw(ui, events, models[0])
        with gr.Column(scale=3, min_width=300):
            _side(ui, models, limits, events.finder is not None)
    return ui


def _draw(ui: dict[str, Any], events: Events, model: str) -> None:
    ui["stage"] = gr.HTML("", elem_id="stage")
    ui["view"] = gr.Radio(list(VIEWS), value=VIEWS[0], label="Show", elem_id="view", container=False)
    ui["message"] = gr.HTML('<p role="status" aria-live="polite">Loading</p>', elem_id="message")
    ui["say"] = gr.Textbox(
        label="What to draw or change",
        placeholder="a red ball in the middle",
        elem_id="say",
        autofocus=True,
        max_lines=3,
        html_attributes=gr.InputHTMLAttributes(autocomplete="off", autocapitalize="off"),
    )
    with gr.Row(elem_id="actions"):
        ui["go"] = gr.Button("Draw", variant="primary", elem_id="go", size="md", min_width=70)
        ui["cancel"] = gr.Button("Cancel", elem_id="cancel", interactive=False, size="md", min_width=70)
        ui["undo"] = gr.Button("Undo", elem_id="undo", interactive=False, size="md", min_width=70)
        ui["redo"] = gr.Button("Redo", elem_id="redo", interactive=False, size="md", min_width=70)
    ui["candidates"] = gr.HTML("", elem_id="candidates", js_on_load=style.CLICKED)
    ui["strip"] = gr.HTML("", elem_id="strip", js_on_load=style.CLICKED + style.SCROLLED)
    with gr.Row():
        ui["fork"] = gr.Button("Branch from here", visible=False, elem_id="fork", size="sm")
        ui["latest"] = gr.Button("Back to the last turn", visible=False, elem_id="latest", size="sm")
    ui["examples"] = gr.HTML(events.examples(model), elem_id="examples", js_on_load=style.CLICKED)


def _side(ui: dict[str, Any], models: list[str], limits: VisitorLimits, finder: bool) -> None:
    ui["told"] = gr.HTML("", elem_id="told")
    with gr.Tabs():
        with gr.Tab("Settings"):
            ui["model"] = gr.Dropdown(
                models, value=models[0], label="Model", elem_id="model", filterable=False
            )
            ui["preset"] = gr.Dropdown(["own settings"], label="Preset", elem_id="preset", filterable=False)
            ui["seed"] = gr.Textbox(
                "1", label="Seed", elem_id="seed", info="Another seed draws the same sentence differently."
            )
            ui["guidance"] = gr.Slider(0, 6, 1, step=0.25, label="Guidance", elem_id="guidance")
            ui["count"] = gr.Slider(1, limits.candidates, 1, step=1, label="Candidates", elem_id="count")
            ui["canvas"] = gr.UploadButton("Draw on your own picture", elem_id="canvas", size="sm")
            gr.HTML("<p>It is squeezed to a square, as all pictures are; nothing is cropped.</p>")
            ui["new"] = gr.Button("New dialog", elem_id="new", size="sm")
        with gr.Tab("Branches"):
            ui["branch"] = gr.Dropdown([], label="Branch", elem_id="branch", filterable=False)
            ui["name"] = gr.Textbox(label="Its name", elem_id="name", max_lines=1)
            with gr.Row():
                ui["rename"] = gr.Button("Rename", elem_id="rename", size="sm", min_width=90)
                ui["branch_off"] = gr.Button("Branch here", elem_id="branch_off", size="sm", min_width=90)
                ui["delete"] = gr.Button("Delete", elem_id="delete", size="sm", min_width=90)
            with gr.Row():
                ui["one"] = gr.Dropdown([], label="Compare", elem_id="one", filterable=False, min_width=120)
                ui["other"] = gr.Dropdown([], label="with", elem_id="other", filterable=False, min_width=120)
            ui["compare"] = gr.Button("Compare", elem_id="compare", size="sm")
            ui["slider"] = gr.ImageSlider(
                label="Both pictures: move the line", elem_id="slider", interactive=False, buttons=[]
            )
            ui["difference"] = gr.HTML("", elem_id="difference")
        with gr.Tab("Keep"):
            for what, label in DOWNLOADS.items():
                ui[f"keep_{what}"] = gr.Button(label, elem_id=f"keep-{what}", size="sm")
            ui["reopen"] = gr.UploadButton("Reopen a session (zip)", elem_id="reopen", size="sm")
            gr.HTML(
                "<p>The address of this page is a link to the turn that is shown. Whoever opens it in "
                "another browser gets a copy; nobody else can change yours.</p>"
            )
        if finder:
            with gr.Tab("Find"):
                _find(ui)
        with gr.Tab("Help"):
            gr.HTML(HELP, elem_id="help")


def _find(ui: dict[str, Any]) -> None:
    gr.HTML("<p>Finds the pictures nearest to the one that you see; a sentence then refines them.</p>")
    ui["filter"] = gr.Textbox(
        label="Only pictures with these tags", elem_id="filter", info="Such as: width >= 64. Empty for all."
    )
    ui["find"] = gr.Button("Find what is nearest to this picture", elem_id="find", size="sm")
    ui["refine"] = gr.Textbox(label="Like the framed one, but ...", elem_id="refine", max_lines=1)
    with gr.Row():
        ui["refine_go"] = gr.Button("Refine", elem_id="refine-go", size="sm", min_width=80)
        ui["find_back"] = gr.Button("One step back", elem_id="find-back", size="sm", min_width=80)
        ui["draw_on"] = gr.Button("Draw on the framed one", elem_id="draw-on", size="sm", min_width=80)
    ui["found"] = gr.HTML("", elem_id="found", js_on_load=style.CLICKED)


DOWNLOADS = {
    "strip": "Film strip (PNG)",
    "animation": "Animation (WebP)",
    "session": "Session (zip)",
    "python": "Python that draws it again",
}


def _wire(ui: dict[str, Any], events: Events, page: gr.Blocks) -> None:
    def on(
        trigger: Callable | list, handler: Callable, inputs: Sequence[str], outputs: Sequence[str], **options
    ) -> Any:
        """Calls the handler with the named fields; what it returns goes to the parts that it names. Those
        that it never names are no outputs: Gradio makes each output anew at every answer."""
        triggers = trigger if isinstance(trigger, list) else [trigger]
        return gr.on(triggers, **_call(ui, handler, inputs, outputs), **options)

    def then(before: Any, handler: Callable, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        before.then(**_call(ui, handler, inputs, outputs))

    def draws(trigger: Callable | list, handler: Callable) -> None:
        fields = ["credentials", "say", "seed", "guidance", "count", "preset", "view"]
        drawn = on(trigger, handler, fields, [*STEPS, "ended"], js=style.TYPED, trigger_mode="multiple")
        then(drawn, events.ended, [*state, "ended"], [*WHOLE, "say"])

    who, state = ["credentials"], ["credentials", "view"]
    model, told = ["model", *MODEL], ["message"]
    opened = [*WHOLE, "credentials", "key", "say", *model]
    on(page.load, events.opened, ["credentials", "search"], opened, js=style.OPENED)
    draws([ui["go"].click, ui["say"].submit], events.draw)
    draws(ui["examples"].select, said(events.draw))
    on(ui["cancel"].click, events.cancel, who, told)
    for name in ("undo", "redo", "latest", "fork"):
        on(ui[name].click, getattr(events, name), state, WHOLE)
    on(ui["new"].click, events.new, state, [*WHOLE, "credentials"])
    on(ui["branch_off"].click, events.fork, state, WHOLE)
    on(ui["view"].change, events.show, state, ["stage", *told])
    for part, handler, field in (("strip", events.look, "turn"), ("candidates", events.choose, "candidate")):
        on(ui[part].select, with_data(handler, field), state, WHOLE)
    for trigger, handler, inputs in (
        (ui["branch"].input, events.show_branch, [*state, "branch"]),
        (ui["model"].input, events.use_model, [*state, "model"]),
        (ui["delete"].click, events.delete, state),
        (ui["reopen"].upload, events.reopen, [*state, "reopen"]),
    ):
        then(on(trigger, handler, inputs, WHOLE), events.model_fields, who, [*model, "examples", *told])
    on([ui["rename"].click, ui["name"].submit], events.rename, [*state, "name"], WHOLE)
    on(ui["canvas"].upload, events.upload_canvas, [*state, "canvas"], WHOLE)
    on(ui["too_large"].select, with_data(events.too_large, "bytes"), who, told)
    on(ui["compare"].click, events.compare, ["credentials", "one", "other"], ["slider", "difference", *told])
    for what in DOWNLOADS:
        download = lambda credentials, what=what: events.download(credentials, what)  # noqa: E731
        on(ui[f"keep_{what}"].click, download, who, ["download", *told])
    if events.finder is not None:
        asked, found = ["credentials", "filter"], ["found", "refine", *told]
        on(ui["find"].click, events.find, asked, found)
        refine = [ui["refine_go"].click, ui["refine"].submit]
        on(refine, events.refine, [*asked, "refine"], found, js=style.REFINED)
        on(ui["find_back"].click, events.find_back, asked, found)
        on(ui["found"].select, with_data(events.pick, "hit"), who, found)
        on(ui["draw_on"].click, events.draw_on, state, WHOLE)
    ui["theme"].click(None, js=style.THEME_BUTTON)


def _call(
    ui: dict[str, Any], handler: Callable, inputs: Sequence[str], outputs: Sequence[str]
) -> dict[str, Any]:
    """What Gradio has to know to call a handler."""
    return {
        "fn": named(handler, ui),
        "inputs": [ui[name] for name in inputs],
        "outputs": [ui[name] for name in outputs],
        "show_progress": "hidden",
        "api_visibility": "private",
    }


def named(handler: Callable, ui: dict[str, Any]) -> Callable:
    """The handler with parts in place of their names, as Gradio wants it."""

    def parts(view: dict[str, Any]) -> dict[Any, Any]:
        return {ui[name]: value for name, value in view.items()} or gr.skip()

    if inspect.isasyncgenfunction(handler):

        async def steps(*given) -> AsyncIterator[dict]:
            async for view in handler(*given):
                yield parts(view)

        async def steps_of_event(event: gr.EventData, *given) -> AsyncIterator[dict]:
            async for view in handler(event, *given):
                yield parts(view)

        return steps_of_event if getattr(handler, "takes_event", False) else steps

    def answer(*given) -> dict:
        return parts(handler(*given))

    def answer_event(event: gr.EventData, *given) -> dict:
        return parts(handler(event, *given))

    return answer_event if getattr(handler, "takes_event", False) else answer


def with_data(handler: Callable, field: str) -> Callable:
    """The handler with what was clicked, `field` of the event, as its last argument."""

    def answer(event: gr.EventData, *given):
        return handler(*given, str(event._data.get(field, "")))

    answer.takes_event = True
    return answer


def said(draw: Callable) -> Callable:
    """`Events.draw` with the sentence that was clicked."""

    async def answer(event: gr.EventData, credentials: str, text: str, *given):
        async for view in draw(credentials, str(event._data.get("say", "")), *given):
            yield view

    answer.takes_event = True
    return answer
