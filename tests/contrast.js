// What of the page has less contrast than WCAG's AA asks for: 4.5 for text, 3 for what is drawn.
() => {
  const rgb = (text) => text.match(/[\d.]+/g).map(Number);
  const over = (top, under, part = 1) => {
    const alpha = (top[3] ?? 1) * part;
    return [0, 1, 2].map((n) => top[n] * alpha + under[n] * (1 - alpha));
  };
  const ground = (one) => {
    const behind = one.parentElement ? ground(one.parentElement) : [255, 255, 255];
    const colour = getComputedStyle(one).backgroundColor;
    return colour.startsWith("rgb") ? over(rgb(colour), behind) : behind;
  };
  const opacity = (one) => one && one !== document.body
    ? Number(getComputedStyle(one).opacity) * opacity(one.parentElement) : 1;
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, paint) => {
    if (!paint.startsWith("rgb") || rgb(paint)[3] === 0) return 99;
    const behind = one.matches(".dot") ? one.parentElement : one;
    const under = ground(one.closest("svg")?.parentElement ?? behind);
    const shown = over(rgb(paint), under, opacity(one));
    const [low, high] = [light(shown), light(under)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const found = [];
  const seen = (one) => one.getBoundingClientRect().width + one.getBoundingClientRect().height
    && getComputedStyle(one).visibility !== "hidden" && !one.disabled
    && !one.closest("title, template, .overview [hidden]");
  const named = (one) => one.className?.baseVal ?? one.className;
  for (const one of document.querySelectorAll("body *")) {
    const says = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!says || !seen(one) || one.closest("[aria-hidden=true]")) continue;
    const style = getComputedStyle(one);
    const worth = ratio(one, one.closest("svg") ? style.fill : style.color);
    if (worth < 4.5) found.push([worth, named(one), one.textContent.trim().slice(0, 30)]);
  }
  // What is drawn and means something; what was not found, grids and weekends need not be seen.
  const drawn = ".glyph *, .mark > *, .tick, .ticks, .valid, .expired, [class^=f-], .selected,"
    + " .edge, .dot";
  for (const one of document.querySelectorAll(drawn)) {
    if (!seen(one) || one.closest(".unlit, .halo") || one.matches(".halo")) continue;
    const style = getComputedStyle(one), paint = one.closest("svg")
      ? (style.stroke === "none" ? style.fill : style.stroke) : style.backgroundColor;
    const worth = ratio(one, paint);
    if (worth < 3) found.push([worth, named(one) || named(one.parentElement), "drawn"]);
  }
  return found;
}
