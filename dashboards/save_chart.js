// Saves the drawing above these two buttons as it stands on the page. Nothing is asked of a server
// but the page's own typeface, which a picture has to bring along: in another, words run into each
// other and over the edge.

const SCALE = 2; // of a PNG, so that print is sharp
const MARGIN = 12;
const SVG = "http://www.w3.org/2000/svg";

export default function ({ parentElement, data }) {
  for (const button of parentElement.querySelectorAll("button[data-form]")) {
    button.onclick = () => save(button, data.name);
  }
}

async function save(button, name) {
  const drawing = above(button);
  if (drawing === null) return;
  const form = button.dataset.form;
  const size = ["width", "height"].map((side) => drawing[side].baseVal.value + 2 * MARGIN);
  const picture = new Blob([await standalone(drawing, size)], { type: "image/svg+xml" });
  keep(form === "png" ? await painted(picture, size) : picture, `${name}.${form}`);
}

function above(button) {
  const here = button.closest('[data-testid="stElementContainer"]');
  return here?.previousElementSibling?.querySelector("svg.marks") ?? null;
}

async function standalone(drawing, [width, height]) {
  const copy = drawing.cloneNode(true);
  copy.removeAttribute("style");
  const style = document.createElementNS(SVG, "style");
  style.textContent = await typeface();
  const paper = document.createElementNS(SVG, "rect");
  paper.setAttribute("fill", drawing.style.backgroundColor || "none");
  for (const [name, value] of Object.entries({ x: -MARGIN, y: -MARGIN, width, height })) {
    paper.setAttribute(name, value);
  }
  copy.prepend(style, paper);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.setAttribute("viewBox", `${-MARGIN} ${-MARGIN} ${width} ${height}`);
  return new XMLSerializer().serializeToString(copy);
}

async function typeface() {
  for (const sheet of document.styleSheets) {
    for (const rule of sheet.cssRules) {
      if (!(rule instanceof CSSFontFaceRule)) continue;
      const family = rule.style.getPropertyValue("font-family").replaceAll('"', "");
      const italic = rule.style.getPropertyValue("font-style") === "italic";
      const source = /url\("?([^")]+)"?\)/.exec(rule.style.getPropertyValue("src"));
      if (family !== "Source Sans" || italic || source === null) continue;
      const answer = await fetch(new URL(source[1], sheet.href ?? document.baseURI));
      if (!answer.ok) continue; // the picture then has whatever typeface its reader has
      const weight = rule.style.getPropertyValue("font-weight") || "normal";
      const file = await asUrl(await answer.blob());
      return `@font-face {font-family: "${family}"; font-weight: ${weight}; src: url("${file}");}`;
    }
  }
  return "";
}

function asUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

async function painted(picture, [width, height]) {
  const image = new Image();
  image.src = URL.createObjectURL(picture);
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = SCALE * width;
  canvas.height = SCALE * height;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function keep(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
