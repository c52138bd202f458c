// The browser's half of aelib.widgets.latent: a picture of the plane under a canvas that holds the marks and takes the mouse,
// nine tiles of 28 x 28 pixels beside it, one of them the drawing pad. Python computes everything that is shown.

const TILE = 112; // side of a tile on the screen
const PAD = 6; // the tile to draw in
const EDGE = 0.025; // of the plane's width: so near the point comes to the frame, as Python has it
const STEP = 1 / 100; // of the plane's width: what an arrow key moves
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function make(parent, tag, style, attributes = {}) {
  const node = document.createElement(tag);
  Object.assign(node.style, style);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function send(model, name, value) {
  model.set(name, value);
  model.save_changes(); // the widget manager keeps one message under way and merges what comes meanwhile
}

function plane(model, parent) {
  const [width, height] = model.get("size");
  const box = make(parent, "div", { position: "relative", width: `${width}px`, height: `${height}px`, flex: "none" });
  const image = make(box, "img", { position: "absolute" }, { width, height, alt: "the plane of codes", draggable: "false" });
  const sharp = window.devicePixelRatio || 1; // pixels of the screen to a pixel of the page
  const onPage = { width: `${width}px`, height: `${height}px` };
  const canvas = make(box, "canvas", { position: "absolute", cursor: "crosshair", touchAction: "none", ...onPage }, {
    width: Math.round(sharp * width), height: Math.round(sharp * height), tabindex: 0, class: "aelib-plane", role: "application",
    "aria-label": "Plane of codes. Arrow keys move the point, with Shift ten times as far; Enter picks the nearest image.",
  });
  const ink = canvas.getContext("2d");

  const scale = () => {
    const [left, top, w, h, x0, x1, y0, y1] = model.get("axes");
    return { left, top, w, h, x0, x1, y0, y1 };
  };
  const pixel = ([x, y]) => {
    const s = scale();
    return [s.left + ((x - s.x0) / (s.x1 - s.x0)) * s.w, s.top + ((s.y1 - y) / (s.y1 - s.y0)) * s.h];
  };
  const code = (event) => {
    const s = scale(), frame = canvas.getBoundingClientRect();
    const across = (event.clientX - frame.left - s.left) / s.w, down = (event.clientY - frame.top - s.top) / s.h;
    return [s.x0 + across * (s.x1 - s.x0), s.y1 - down * (s.y1 - s.y0)];
  };
  const within = (value, low, high) => Math.min(Math.max(value, low), high);

  const line = (points, color, thickness, closed) => {
    ink.beginPath();
    points.forEach((p, k) => ink[k ? "lineTo" : "moveTo"](...p));
    if (closed) ink.closePath();
    for (const [style, extra] of [["white", 2.5], [color, 0]]) {
      ink.strokeStyle = style;
      ink.lineWidth = thickness + extra;
      ink.stroke();
    }
  };
  const ring = (at, radius, color) =>
    line([...Array(24).keys()].map((k) => [at[0] + radius * Math.cos(k * Math.PI / 12), at[1] + radius * Math.sin(k * Math.PI / 12)]), color, 2, true);
  const arrow = (from, to, color) => {
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
    const barb = (turn) => [to[0] - 7 * Math.cos(angle + turn), to[1] - 7 * Math.sin(angle + turn)];
    line([from, to], color, 2);
    line([barb(0.5), to, barb(-0.5)], color, 2);
  };
  const name = (text, [x, y]) => {
    ink.font = "bold 12px sans-serif";
    ink.lineWidth = 3;
    ink.strokeStyle = "white";
    const wide = ink.measureText(text).width;
    const left = x + 9 + wide < scale().left + scale().w ? x + 9 : x - 9 - wide; // no word is cut off by the frame
    ink.strokeText(text, left, y - 7);
    ink.fillStyle = "black";
    ink.fillText(text, left, y - 7);
  };

  const draw = () => {
    const at = model.get("point"), marks = model.get("marks"), p = pixel(at);
    ink.setTransform(sharp, 0, 0, sharp, 0, 0);
    ink.clearRect(0, 0, width, height);
    const frame = scale();
    ink.save();
    ink.beginPath();
    ink.rect(frame.left, frame.top, frame.w, frame.h); // no mark leaves the frame
    ink.clip();
    if (marks.path) {
      line(marks.path.map(pixel), "black", 1.5);
      ["from", "to"].forEach((text, k) => { ring(pixel(marks.path[k]), 4, "black"); name(text, pixel(marks.path[k])); });
    }
    if (marks.axes) {
      const [a, b] = marks.axes;
      const turn = [...Array(48).keys()].map((k) => [Math.cos(k * Math.PI / 24), Math.sin(k * Math.PI / 24)]);
      line(turn.map(([c, s]) => pixel([at[0] + c * a[0] + s * b[0], at[1] + c * a[1] + s * b[1]])), "#0072B2", 2, true);
      arrow(p, pixel([at[0] + a[0], at[1] + a[1]]), "#0072B2");
      const longer = Math.hypot(...a) / Math.hypot(...b); // a short half-axis would be hidden by the cross
      arrow(p, pixel([at[0] + longer * b[0], at[1] + longer * b[1]]), "#D55E00");
    }
    if (marks.near) ring(pixel(marks.near), 7, "black");
    if (marks.drawn) {
      const [x, y] = pixel(marks.drawn);
      line([[x - 8, y], [x, y - 8], [x + 8, y], [x, y + 8]], "#CC79A7", 3, true);
      name("drawn", [x, y]);
    }
    for (const d of [-1, 1]) line([[p[0] - 5, p[1] - 5 * d], [p[0] + 5, p[1] + 5 * d]], "black", 3);
    ink.restore();
  };
  const show = () => {
    const url = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/png" }));
    image.onload = () => URL.revokeObjectURL(url);
    image.src = url;
    draw();
  };

  let start = null; // where the button went down
  const move = ([x, y]) => {
    const s = scale(), across = EDGE * (s.x1 - s.x0), up = EDGE * (s.y1 - s.y0);
    send(model, "point", [within(x, s.x0 + across, s.x1 - across), within(y, s.y0 + up, s.y1 - up)]);
    draw();
  };
  canvas.onpointerdown = (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    start = [event.clientX, event.clientY];
    move(code(event));
  };
  canvas.onpointermove = (event) => (start ? move(code(event)) : send(model, "hover", code(event)));
  canvas.onpointerup = (event) => {
    const far = start && Math.hypot(event.clientX - start[0], event.clientY - start[1]);
    start = null;
    if (far < 4) send(model, "pick", [...code(event), model.get("pick")[2] + 1]);
  };
  canvas.onpointercancel = () => { start = null; };
  canvas.onpointerleave = () => send(model, "hover", []);
  canvas.onkeydown = (event) => {
    const [x, y] = model.get("point"), arrow = ARROWS[event.key], s = scale();
    if (!arrow && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would move to another cell
    const far = STEP * (event.shiftKey ? 10 : 1) * (s.x1 - s.x0);
    if (arrow) move([x + arrow[0] * far, y + arrow[1] * far]);
    else send(model, "pick", [x, y, model.get("pick")[2] + 1]);
  };

  model.on("change:picture", show);
  for (const trait of ["point", "marks", "axes"]) model.on(`change:${trait}`, draw);
  show();
}

function tile(parent) {
  const figure = make(parent, "figure", { margin: 0, width: `${TILE}px` });
  const canvas = make(figure, "canvas", { width: `${TILE}px`, height: `${TILE}px`, imageRendering: "pixelated", display: "block", outline: "1px solid var(--jp-border-color1, #999)" }, { width: 28, height: 28 });
  const caption = make(figure, "figcaption", { font: "12px/15px sans-serif", height: "31px", overflow: "hidden", whiteSpace: "pre-line", color: "var(--jp-ui-font-color1, black)" });
  return { figure, canvas, caption };
}

function pad(model, { figure, canvas, caption }) {
  Object.assign(canvas, { width: TILE, height: TILE, tabIndex: 0, className: "aelib-pad" });
  Object.assign(canvas.style, { cursor: "crosshair", touchAction: "none" });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Drawing pad. Arrow keys move the pen, Space lowers or lifts it, Delete clears.");
  const paper = document.createElement("canvas");
  Object.assign(paper, { width: TILE, height: TILE });
  const ink = paper.getContext("2d", { willReadFrequently: true }), view = canvas.getContext("2d");
  Object.assign(ink, { lineWidth: 9, lineCap: "round", lineJoin: "round", strokeStyle: "white" });
  let pen = [TILE / 2, TILE / 2], down = false, empty = true;

  const show = () => {
    view.fillStyle = "black";
    view.fillRect(0, 0, TILE, TILE);
    view.drawImage(paper, 0, 0);
    if (empty) {
      Object.assign(view, { fillStyle: "#bbb", font: "14px sans-serif", textAlign: "center" });
      ["draw", "a digit", "here"].forEach((word, k) => view.fillText(word, TILE / 2, TILE / 2 - 14 + 20 * k));
    }
    if (document.activeElement !== canvas) return;
    view.strokeStyle = down ? "#E69F00" : "#56B4E9";
    view.strokeRect(pen[0] - 4, pen[1] - 4, 8, 8);
  };
  const to = (next) => {
    if (down) {
      empty = false;
      ink.beginPath();
      ink.moveTo(...pen);
      ink.lineTo(...next);
      ink.stroke();
      const rgba = ink.getImageData(0, 0, TILE, TILE).data;
      send(model, "drawing", new DataView(Uint8Array.from({ length: TILE * TILE }, (_, k) => rgba[4 * k + 3]).buffer));
    }
    pen = next;
    show();
  };
  const clear = () => {
    ink.clearRect(0, 0, TILE, TILE);
    down = false;
    empty = true;
    show();
    send(model, "drawing", new DataView(new ArrayBuffer(0)));
  };
  const place = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };

  canvas.onpointerdown = (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    pen = place(event);
    down = true;
    to(pen);
  };
  canvas.onpointermove = (event) => { if (event.buttons) to(place(event)); };
  canvas.onpointerup = () => { down = false; show(); };
  canvas.onkeydown = (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow && event.key !== " " && event.key !== "Delete") return;
    event.preventDefault();
    event.stopPropagation();
    if (arrow) to([pen[0] + 4 * arrow[0], pen[1] - 4 * arrow[1]].map((v) => Math.min(Math.max(v, 0), TILE)));
    else if (event.key === "Delete") clear();
    else { down = !down; to(pen); }
  };
  canvas.onfocus = canvas.onblur = show;
  caption.append("your digit ");
  make(caption, "button", { font: "inherit" }, { class: "aelib-clear" }).append("clear");
  caption.lastChild.onclick = clear;
  show();
}

function render({ model, el }) {
  const row = make(el, "div", { display: "flex", flexWrap: "wrap", gap: "10px", alignItems: "flex-start" });
  plane(model, row);
  const grid = make(row, "div", { display: "grid", gridTemplateColumns: `repeat(3, ${TILE}px)`, gap: "4px 6px" });
  const tiles = [...Array(9).keys()].map(() => tile(grid));
  pad(model, tiles[PAD]);
  const show = () => {
    const bytes = model.get("tiles"), captions = model.get("captions");
    tiles.forEach(({ canvas, caption }, k) => {
      if (k === PAD) return;
      const pixels = new Uint8ClampedArray(bytes.buffer, bytes.byteOffset + k * 3136, 3136);
      canvas.getContext("2d").putImageData(new ImageData(pixels, 28, 28), 0, 0);
      caption.textContent = captions[k];
    });
  };
  model.on("change:tiles", show);
  model.on("change:captions", show);
  show();
}

export default { render };
