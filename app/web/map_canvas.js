// Points in a canvas that can be moved and zoomed: by mouse, touch, wheel and keyboard. Every point
// is written into the picture's memory, a frame at a time: 100,000 take a few milliseconds.

const MOST_ZOOM = 400;
const REACH = 12;
const FLY_MS = 400;

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// points: { x, y } in -1 … 1; a colour of 0 hides its point.
// `onNear` is told the point under the pointer or in the middle, -1 where there is none, and
// `onOpen` the one that was clicked or entered.
export function pointCanvas(canvas, points, { onNear, onOpen }) {
  const context = canvas.getContext("2d", { alpha: false });
  const size = points.x.length;
  let colours = new Uint32Array(size);
  let ground = 0;
  let picture = null;
  let marked = -1;
  let waiting = 0;
  let flight = 0;
  const sight = { x: 0, y: 0, zoom: 1 };

  const scale = () => sight.zoom * Math.min(canvas.width, canvas.height) * 0.48;
  const screenX = (at) => (points.x[at] - sight.x) * scale() + canvas.width / 2;
  const screenY = (at) => (sight.y - points.y[at]) * scale() + canvas.height / 2;

  function paint() {
    waiting = 0;
    const { width, height } = canvas;
    if (!width || !height) return;
    if (picture?.width !== width || picture.height !== height) picture = context.createImageData(width, height);
    const pixels = new Uint32Array(picture.data.buffer);
    pixels.fill(ground);
    const factor = scale();
    const shiftX = width / 2 - sight.x * factor;
    const shiftY = height / 2 + sight.y * factor;
    const crowd = Math.sqrt(12000 / Math.max(200, size));
    const dot = clamp(Math.round(devicePixelRatio * crowd * (1 + Math.sqrt(sight.zoom))), 2, 12);
    const corner = dot < 4 ? 0 : Math.round(dot / 4);  // dots are round enough
    for (let at = size - 1; at >= 0; at -= 1) {  // the most popular come first, and lie on top
      const colour = colours[at];
      if (!colour) continue;
      const left = (points.x[at] * factor + shiftX - dot / 2) | 0;
      const top = (shiftY - points.y[at] * factor - dot / 2) | 0;
      if (left < 0 || top < 0 || left + dot > width || top + dot > height) continue;
      for (let row = 0; row < dot; row += 1) {
        const inset = row === 0 || row === dot - 1 ? corner : 0;
        const start = (top + row) * width + left;
        pixels.fill(colour, start + inset, start + dot - inset);
      }
    }
    context.putImageData(picture, 0, 0);
    canvas.dataset.drawn = size;
    if (marked >= 0) ring(screenX(marked), screenY(marked));
  }

  function ring(x, y) {
    context.beginPath();
    context.arc(x, y, 9 * devicePixelRatio, 0, 2 * Math.PI);
    context.lineWidth = 2.5 * devicePixelRatio;
    context.strokeStyle = getComputedStyle(canvas).color;
    context.stroke();
  }

  const draw = () => { waiting ||= requestAnimationFrame(paint); };

  // The shown point closest to a place of the canvas, within reach.
  function near(x, y, reach = REACH * devicePixelRatio) {
    let found = -1;
    let least = reach * reach;
    const factor = scale();
    for (let at = 0; at < size; at += 1) {
      if (!colours[at]) continue;
      const across = (points.x[at] - sight.x) * factor + canvas.width / 2 - x;
      const down = (sight.y - points.y[at]) * factor + canvas.height / 2 - y;
      const distance = across * across + down * down;
      if (distance < least) [found, least] = [at, distance];
    }
    return found;
  }

  function mark(at) {
    if (at !== marked) draw();
    marked = at;
    onNear(at);
  }

  const inCanvas = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * devicePixelRatio, (event.clientY - box.top) * devicePixelRatio];
  };

  function zoom(by, x = canvas.width / 2, y = canvas.height / 2) {
    cancelAnimationFrame(flight);
    const before = scale();
    sight.zoom = clamp(sight.zoom * by, 0.8, MOST_ZOOM);
    const change = 1 / before - 1 / scale();
    sight.x += (x - canvas.width / 2) * change;
    sight.y -= (y - canvas.height / 2) * change;
    draw();
  }

  function pan(across, down) {
    cancelAnimationFrame(flight);
    sight.x = clamp(sight.x - across / scale(), -1.2, 1.2);
    sight.y = clamp(sight.y + down / scale(), -1.2, 1.2);
    draw();
  }

  const middle = () => mark(near(canvas.width / 2, canvas.height / 2, canvas.width));

  function fly(at) {
    mark(at);
    cancelAnimationFrame(flight);
    const from = { ...sight };
    const to = { x: points.x[at], y: points.y[at], zoom: Math.max(12, sight.zoom) };
    const began = performance.now();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const step = (now) => {
      const done = still ? 1 : clamp((now - began) / FLY_MS, 0, 1);
      const eased = done * done * (3 - 2 * done);
      for (const name of ["x", "y"]) sight[name] = from[name] + (to[name] - from[name]) * eased;
      sight.zoom = from.zoom * (to.zoom / from.zoom) ** eased;
      paint();
      if (done < 1) flight = requestAnimationFrame(step);
    };
    flight = requestAnimationFrame(step);
  }

  function whole() {
    cancelAnimationFrame(flight);
    Object.assign(sight, { x: 0, y: 0, zoom: 1 });
    draw();
  }

  const held = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, inCanvas(event));
    if (held.size === 1) moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = inCanvas(event);
    const last = held.get(event.pointerId);
    if (!last) return mark(near(x, y));
    const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
      zoom(apart([x, y]) / apart(last), other[0], other[1]);
    } else pan(x - last[0], y - last[1]);
    moved += Math.hypot(x - last[0], y - last[1]);
    held.set(event.pointerId, [x, y]);
  });
  const release = (event) => {
    const began = held.delete(event.pointerId);
    if (!began || event.type !== "pointerup" || held.size || moved > 6 * devicePixelRatio) return;
    const at = near(...inCanvas(event));
    if (at >= 0) onOpen(at);
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-clamp(event.deltaY, -240, 240) / 400), ...inCanvas(event));
  }, { passive: false });

  const keys = {
    ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0),
    ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
    "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: whole,
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && marked >= 0) return onOpen(marked);
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
    middle();
  });

  const sized = new ResizeObserver(() => {
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    const height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (!width || (width === canvas.width && height === canvas.height)) return;
    Object.assign(canvas, { width, height });
    paint();
  });
  sized.observe(canvas);

  return { fly, zoom, whole, colour: (given, under) => { colours = given; ground = under; draw(); },
    leave: () => { sized.disconnect(); cancelAnimationFrame(flight); cancelAnimationFrame(waiting); } };
}
