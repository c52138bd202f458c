// A picture of a stated width on the page, whatever its density, with a text for who does not see it.
function render({ model, el }) {
  const image = document.createElement("img");
  Object.assign(image.style, {
    display: "block", height: "auto", maxWidth: "100%", outline: "1px solid var(--jp-border-color2, #e0e0e0)", outlineOffset: "-1px",
  });
  el.append(image);
  let url = null;
  const show = () => {
    const old = url;
    url = URL.createObjectURL(new Blob([model.get("value")], { type: `image/${model.get("format")}` }));
    image.style.width = `${model.get("width")}px`;
    image.alt = model.get("alt");
    image.onload = image.onerror = () => { if (old) URL.revokeObjectURL(old); };
    image.src = url;
  };
  model.on("change:value", show);
  model.on("change:alt", () => { image.alt = model.get("alt"); });
  show();
  return () => { model.off("change:value", show); if (url) URL.revokeObjectURL(url); };
}

export default { render };
