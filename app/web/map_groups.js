// What the points of a map are coloured by: the codes of a level, or the true categories.

const SHOWN = 12;

// Hues far apart for the largest groups; lightness goes up and down, so that two neighbours differ
// in it as well.
const hueOf = (place) => [place % 2 ? 0.5 : 0.62, 0.15, (place * 137.508) % 360];

// OKLCH as bytes, written out because a canvas' memory knows no names of colours.
function bytes([lightness, chroma, hue]) {
  const a = chroma * Math.cos(hue * Math.PI / 180);
  const b = chroma * Math.sin(hue * Math.PI / 180);
  const [l, m, s] = [lightness + 0.3963 * a + 0.2158 * b, lightness - 0.1056 * a - 0.0639 * b,
    lightness - 0.0895 * a - 1.2915 * b].map((each) => each ** 3);
  return [4.0767 * l - 3.3077 * m + 0.231 * s, -1.2684 * l + 2.6098 * m - 0.3413 * s,
    -0.0042 * l - 0.7034 * m + 1.7076 * s].map((each) => {
    const light = Math.min(1, Math.max(0, each));
    return Math.round(255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055));
  });
}

const packed = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;

const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

// What can be chosen: { value, text, of(point), name(group) }; a point without a group has -1.
export function groupings(map, labels) {
  const label = new Map(labels.map((each) => [`${each.level} ${each.code}`, each.label]));
  const levels = map.codes.map((codes, at) => ({
    value: `level-${at + 1}`, text: `Level ${at + 1}: ${new Set(codes).size} codes`,
    of: (point) => codes[point],
    name: (code) => label.get(`${at + 1} ${code}`) ?? `Code ${code}` })).reverse();
  if (!map.categories.length) return levels;
  return [...levels, { value: "category", text: "True category",
    of: (point) => map.categories[point][0] ?? -1,
    name: (place) => map.category_names[place] }];
}

// The groups of a grouping, the largest first: those to be listed, { group, count, css }, and the
// colour of every group. Groups that are not listed are paler.
export function groupsOf(grouping, size) {
  const counts = new Map();
  for (let point = 0; point < size; point += 1) {
    const group = grouping.of(point);
    if (group >= 0) counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const dark = isDark();
  const all = [...counts].sort(([, one], [, other]) => other - one);
  const colourOf = (place) => {
    const [lightness, chroma, hue] = hueOf(place);
    if (place >= SHOWN) return bytes([dark ? 0.5 : 0.8, 0.06, hue]);
    return bytes([lightness + (dark ? 0.18 : 0), chroma, hue]);
  };
  return {
    total: all.length,
    colours: new Map(all.map(([group], place) => [group, packed(colourOf(place))])),
    listed: all.slice(0, SHOWN).map(([group, count], place) =>
      ({ group, count, css: `rgb(${colourOf(place).join(" ")})` })),
  };
}

// A colour for each point: of its group, grey without one; with `only` the others are faint.
export function coloursOf(grouping, known, size, only = null) {
  const grey = packed(bytes([isDark() ? 0.45 : 0.72, 0.01, 0]));
  const faint = packed(bytes([isDark() ? 0.3 : 0.92, 0.01, 0]));
  const colours = new Uint32Array(size);
  for (let point = 0; point < size; point += 1) {
    const group = grouping.of(point);
    const colour = known.get(group) ?? grey;
    colours[point] = only === null || only === group ? colour : faint;
  }
  return colours;
}

export const groundColour = () => packed(isDark() ? [20, 24, 26] : [255, 255, 255]);
