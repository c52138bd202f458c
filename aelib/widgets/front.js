// What every widget of the labs asks of the browser, and the manners that ipywidgets leave to others:
// the screen's density and the width there is are told to Python; keys stay with the control that has the focus;
// sliders, buttons and players have names and values that a screen reader can say.

const ARROWS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
const PLAYER = { "fa-play": "Play", "fa-pause": "Pause", "fa-stop": "Stop", "fa-repeat": "Repeat" };
const SUPPRESS = "data-lm-suppress-shortcuts"; // JupyterLab looks for it before it runs a command

const shortcut = (event) => event.ctrlKey || event.metaKey; // Ctrl+S saves from everywhere

function set(node, name, value) {
  if (value && node.getAttribute(name) !== value) node.setAttribute(name, value);
}

function nameParts(root) {
  for (const part of root.querySelectorAll(".widget-toggle-buttons, .widget-slider"))
    if (!part.classList.contains("jupyter-widgets")) part.classList.add("jupyter-widgets", "widget-inline-hbox");
  for (const handle of root.querySelectorAll(".noUi-handle")) {
    const slider = handle.closest(".widget-slider, .widget-hslider");
    const label = slider?.querySelector(".widget-label")?.textContent.trim();
    const readout = slider?.querySelector(".widget-readout");
    set(handle, "aria-label", label);
    set(handle, "aria-valuetext", readout?.textContent.trim());
    if (readout?.isContentEditable) {
      set(readout, "role", "textbox");
      set(readout, "aria-label", `${label}, as a number`);
    }
  }
  for (const group of root.querySelectorAll(".widget-toggle-buttons")) {
    set(group, "role", "group");
    set(group, "aria-label", group.querySelector(".widget-label")?.textContent.trim());
    for (const button of group.querySelectorAll("button"))
      set(button, "aria-pressed", String(button.classList.contains("mod-active")));
  }
  for (const icon of root.querySelectorAll(".widget-play button i")) {
    const name = Object.entries(PLAYER).find(([key]) => icon.classList.contains(key))?.[1];
    set(icon.parentElement, "aria-label", name);
    set(icon.parentElement, "title", name);
  }
}

// The arrows go from one of a group's buttons to the next, as among radio buttons.
function walk(event) {
  const step = ARROWS[event.key];
  const button = event.target.closest?.(".widget-toggle-buttons button");
  if (!step || !button || shortcut(event)) return;
  const all = [...button.closest(".widget-toggle-buttons").querySelectorAll("button:not([disabled])")];
  const next = all[all.indexOf(button) + step];
  event.preventDefault();
  if (!next) return;
  next.focus();
  next.click();
}

function render({ model, el }) {
  let root = null, due = false, held = null;
  const suppress = (event) => root?.contains(event.target) && event.target.toggleAttribute(SUPPRESS, !shortcut(event));
  const keep = (event) => { if (!shortcut(event)) event.stopPropagation(); };
  // ipywidgets makes a group's buttons anew whenever Python sets its value: the new one in its place gets the focus.
  const hold = (event) => {
    const group = event.target.closest(".widget-toggle-buttons");
    const button = event.target.closest("button");
    held = group && button && { group, button, place: [...group.querySelectorAll("button")].indexOf(button) };
  };
  const letGo = (event) => { if (!held?.button.contains(event.target)) held = null; };
  const leave = (event) => { if (event.relatedTarget && !root.contains(event.relatedTarget)) held = null; };
  const focusAgain = () => {
    if (!held || held.button.isConnected || document.activeElement !== document.body) return;
    held.group.querySelectorAll("button")[held.place]?.focus({ preventScroll: true });
  };
  const changes = new MutationObserver(() => {
    focusAgain();
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; nameParts(root); });
  });

  const attach = () => {
    root = el.closest(".aelib-live");
    if (!root) return;
    root.addEventListener("keydown", walk);
    root.addEventListener("keydown", keep);
    root.addEventListener("focusin", hold);
    root.addEventListener("focusout", leave);
    window.addEventListener("pointerdown", letGo, true);
    window.addEventListener("keydown", suppress, true); // before JupyterLab, wherever it listens
    changes.observe(root, { subtree: true, childList: true, characterData: true, attributeFilter: ["class", "disabled"] });
    nameParts(root);
  };
  const tell = () => {
    if (!root) attach();
    const density = window.devicePixelRatio || 1, room = Math.floor(el.clientWidth);
    if (!root || !room || (density === model.get("density") && room === model.get("room"))) return;
    model.set("density", density);
    model.set("room", room);
    model.save_changes();
  };
  const size = new ResizeObserver(tell);
  size.observe(el);

  return () => {
    size.disconnect();
    changes.disconnect();
    root?.removeEventListener("keydown", walk);
    root?.removeEventListener("keydown", keep);
    root?.removeEventListener("focusin", hold);
    root?.removeEventListener("focusout", leave);
    window.removeEventListener("pointerdown", letGo, true);
    window.removeEventListener("keydown", suppress, true);
  };
}

export default { render };
