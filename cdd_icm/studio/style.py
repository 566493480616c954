"""How the page looks, in light and dark, and its keyboard shortcuts."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cdd_icm.studio.limits import VisitorLimits

CSS = """
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; padding: 12px !important; }
#head h1 { font-size: 1.25rem; margin: 0; } #head p { margin: 0; color: var(--body-text-color-subdued); }
#stage figure { margin: 0; position: relative; background: var(--background-fill-secondary);
  border-radius: 10px; overflow: hidden; display: flex; justify-content: center; }
#stage img { width: min(100%, 400px); aspect-ratio: 1; object-fit: contain; display: block; }
#stage figcaption { position: absolute; left: 8px; bottom: 8px; padding: 2px 8px; border-radius: 6px;
  background: rgba(0,0,0,.68); color: #fff; font-size: .85rem; }
#stage .busy { outline: 2px solid var(--color-accent); outline-offset: -2px; }
#message p { margin: 2px 0; min-height: 1.5em; } #message .alert { color: #b3261e; font-weight: 600; }
.dark #message .alert { color: #ffb4ab; }
#strip ol, #candidates ol, #found ol { display: flex; gap: 8px; overflow-x: auto; list-style: none;
  padding: 4px; margin: 0; scroll-snap-type: x proximity; }
#strip li, #candidates li, #found li { flex: 0 0 auto; scroll-snap-align: start; margin: 0; }
#strip button, #candidates button, #found button { display: block; padding: 4px; border-radius: 8px;
  border: 2px solid transparent; background: var(--background-fill-secondary); color: var(--body-text-color);
  cursor: pointer; text-align: left; }
#strip button { width: 112px; } #strip img { width: 100px; height: 100px; border-radius: 4px; }
#candidates button, #found button { width: 148px; }
#candidates img, #found img { width: 136px; height: 136px; }
#strip span, #candidates span, #found span { display: -webkit-box; -webkit-line-clamp: 2; font-size: .78rem;
  -webkit-box-orient: vertical; overflow: hidden; line-height: 1.3; overflow-wrap: anywhere; }
#strip [aria-current], #candidates [aria-pressed=true], #found [aria-pressed=true] {
  border-color: var(--color-accent); }
#strip .undone { opacity: .4; cursor: default; }
#strip, #candidates, #found { contain: inline-size; }
#strip ol { position: relative; }
#columns .html-container, #head .html-container { padding: 0 !important; }
#examples div { display: flex; flex-wrap: wrap; gap: 6px; }
.gradio-container .gap { gap: 10px; }
#stage, #strip, #candidates, #message, #told, #examples { padding: 0 !important; }
#candidates:not(:has(button)), #found:not(:has(button)) { display: none; }
#candidates h3 { margin: 2px 4px; font-size: .9rem; }
#examples button, #strip button, #candidates button, #found button { font-weight: 400; }
#examples button { border: 1px solid var(--border-color-primary); border-radius: 999px; padding: 4px 12px;
  background: var(--background-fill-primary); color: var(--body-text-color); font-size: .85rem;
  cursor: pointer; }
button:focus-visible, input:focus-visible, textarea:focus-visible, [tabindex]:focus-visible {
  outline: 3px solid var(--color-accent) !important; outline-offset: 1px; }
#told p { margin: 2px 0; } #told .said { font-weight: 600; overflow-wrap: anywhere; }
#told mark, #told mark * { background: #ffd84d; color: #1b1b1b; padding: 0 3px; border-radius: 3px; }
#help kbd { border: 1px solid var(--border-color-primary); border-radius: 4px; padding: 0 5px; }
#say textarea { font-size: 1.05rem; }
.hiding { display: none !important; }
#difference figure { margin: 0; } #difference img { width: 100%; border-radius: 8px; }
@media (max-width: 760px) {
  #columns { flex-wrap: wrap; } #columns > div { flex: 1 1 100%; min-width: 0 !important; }
  #head p { display: none; }
  #head { flex-wrap: nowrap; } #head h1 { font-size: 1.05rem; white-space: nowrap; }
  #actions { flex-wrap: nowrap; } #actions button { min-width: 0 !important; padding: 10px 4px !important; }
  #head button { min-width: 110px !important; }
  #view label { padding: 4px 6px; font-size: .8rem; } #view .wrap { gap: 4px; }
  #stage img { width: 100%; }
  #strip button { width: 92px; } #strip img { width: 80px; height: 80px; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
"""

HEAD = """
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
@media (max-width: 760px) {  /* not in CSS, which Gradio applies to what is within .contain alone */
  body .gradio-container { padding: 4px !important; } body .main.fillable.app { padding: 4px !important; }
}
</style>
<script>
document.addEventListener('keydown', event => {
  const click = id => { const b = document.getElementById(id); if (b && !b.disabled) b.click(); };
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  const command = event.ctrlKey || event.metaKey;
  if (event.key === 'Escape') click('cancel');
  else if (event.altKey && event.code === 'KeyZ') click(event.shiftKey ? 'redo' : 'undo');
  else if (command && !typing && event.code === 'KeyZ') click(event.shiftKey ? 'redo' : 'undo');
  else if (event.altKey && /^Digit[1-8]$/.test(event.code))
    document.querySelector(`#candidates [data-candidate="${event.code.slice(5) - 1}"]`)?.click();
  else if (event.altKey && event.code === 'KeyV') {
    const views = [...document.querySelectorAll('#view input')];
    const next = views[(views.findIndex(v => v.checked) + 1) % views.length];
    next.click();
  }
  else if (event.key === '/' && !typing && !command && !event.altKey)
    document.querySelector('#say textarea')?.focus();
  else return;
  event.preventDefault();
});
</script>
"""

CLICKED = """
element.addEventListener('click', event => {
  const button = event.target.closest('[data-turn], [data-candidate], [data-hit], [data-say]');
  if (button && !button.disabled) trigger('select', {...button.dataset});
});
"""
"""Passes on which button within an HTML part was clicked."""

SCROLLED = """
watch('value', () => {
  const list = element.querySelector('ol'), shown = element.querySelector('[aria-current]');
  if (shown) list.scrollLeft = shown.offsetLeft - list.clientWidth + shown.clientWidth + 24;
});
"""
"""Scrolls the strip, and not the page, to the turn that is shown."""

ADDRESS = """
watch('value', () => {
  if (!props.value) return;
  const state = JSON.parse(props.value), query = new URLSearchParams(location.search);
  const another = query.has('session') && query.get('session') !== state.query.session;
  for (const [name, value] of Object.entries(state.query)) query.set(name, value);
  history[another ? 'pushState' : 'replaceState'](null, '', location.pathname + '?' + query);
});
window.addEventListener('popstate', () => location.reload());
"""
"""Keeps the dialog's name in the page's address."""

KEY = """
watch('value', () => {
  if (!props.value) return;
  try { localStorage.setItem('cdd-icm-key', JSON.parse(props.value).key); } catch (error) {}
});
"""
"""Keeps the visitor's key in the browser."""

TOO_LARGE = """
document.addEventListener('change', event => {
  const file = event.target.files?.[0];
  if (!file || file.size <= Number(props.value)) return;
  event.stopImmediatePropagation();
  event.target.value = '';
  trigger('select', {bytes: file.size});
}, true);
"""
"""Tells of a file above the limit, in bytes, before it is sent; else Gradio does, in words of its own."""

SAVE = """
watch('value', () => {
  if (!props.value) return;
  const file = JSON.parse(props.value), link = document.createElement('a');
  link.href = `data:${file.kind};base64,${file.content}`;
  link.download = file.name;
  link.click();
});
"""
"""Saves a file that the server sent, without a copy on the server."""

OPENED = """() => {
  let key = '';
  try { key = localStorage.getItem('cdd-icm-key') || ''; } catch (error) {}
  return [key, location.search];
}"""

TYPED = """(credentials, text, seed, guidance, candidates, preset, view) => [
  credentials,
  document.querySelector('#say textarea').value,
  document.querySelector('#seed input, #seed textarea').value,
  Number(document.querySelector('#guidance input[type=number]').value),
  Number(document.querySelector('#count input[type=number]').value),
  preset, view,
]"""
"""What stands in the fields now: Gradio's own values lag behind what was typed just before Enter."""

REFINED = """(credentials, filter, text) => [
  credentials,
  document.querySelector('#filter input, #filter textarea').value,
  document.querySelector('#refine input, #refine textarea').value,
]"""

THEME_BUTTON = "() => { document.body.classList.toggle('dark'); }"


def mount_options() -> dict[str, Any]:
    """What `gr.mount_gradio_app` and `Blocks.launch` need beside the page. The fonts are the system's: no
    other host is asked for anything."""
    system = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    theme = gr.themes.Default(
        primary_hue="indigo", neutral_hue="slate", font=system, font_mono=["ui-monospace", "monospace"]
    )
    upload = VisitorLimits().upload
    return {"theme": theme, "css": CSS, "head": HEAD, "footer_links": [], "max_file_size": upload}
