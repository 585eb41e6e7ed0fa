import type { Line } from './lines';

/** Pixels of a PNG for each pixel of the plot. */
const SCALE = 2;

const INLINED = [
  'fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-linecap', 'stroke-opacity', 'opacity',
  'font-family', 'font-size', 'font-weight', 'text-anchor', 'dominant-baseline',
] as const;

/** Draw an SVG as it looks on the page, with its background. Styles come from style sheets, so they are copied. */
export async function svgToPng(svg: SVGSVGElement): Promise<Blob> {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const originals = svg.querySelectorAll('*');
  copy.querySelectorAll<SVGElement>('*').forEach((element, i) => {
    const style = getComputedStyle(originals[i]!);
    for (const name of INLINED) element.style.setProperty(name, style.getPropertyValue(name));
  });
  const { width, height } = svg.getBoundingClientRect();
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', String(width * SCALE));
  copy.setAttribute('height', String(height * SCALE));
  const url = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    return await onGround(image, width * SCALE, height * SCALE, svg);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** A canvas plot with the background of the page and the names of its lines. The canvas itself has neither. */
export function canvasToPng(canvas: HTMLCanvasElement, lines: readonly Line[] = []): Promise<Blob> {
  const scale = devicePixelRatio;
  const rows = legendRows(lines, canvas.width / scale);
  const below = rows.length * 22 * scale;
  return onGround(canvas, canvas.width, canvas.height, canvas, below, (context, style) => {
    context.font = `${12 * scale}px system-ui, sans-serif`;
    context.lineWidth = 2 * scale;
    for (const { label, color, dash, at, row } of rows.flat()) {
      const [x, y] = [at * scale, canvas.height + (row * 22 + 9) * scale];
      context.strokeStyle = color ?? style.getPropertyValue('--ink-faint');
      context.setLineDash((dash ?? []).map((length) => length * scale));
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + 24 * scale, y);
      context.stroke();
      context.fillStyle = style.getPropertyValue('--ink-soft');
      context.fillText(label, x + 30 * scale, y + 4 * scale);
    }
  });
}

type Placed = Line & { at: number; row: number };

/** The names of lines, in as many rows as they need. A letter is at most 8 pixels wide. */
function legendRows(lines: readonly Line[], width: number): Placed[][] {
  const rows: Placed[][] = [];
  let at = Infinity;
  for (const line of lines) {
    const room = 48 + 8 * line.label.length;
    if (at + room > width) {
      rows.push([]);
      at = 16;
    }
    rows.at(-1)!.push({ ...line, at, row: rows.length - 1 });
    at += room;
  }
  return rows;
}

/** The image on the background of its element. `draw` fills the `below` pixels under it. */
function onGround(
  image: CanvasImageSource,
  width: number,
  height: number,
  element: Element,
  below = 0,
  draw?: (context: CanvasRenderingContext2D, style: CSSStyleDeclaration) => void,
): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height + below;
  const context = canvas.getContext('2d')!;
  const style = getComputedStyle(element);
  context.fillStyle = style.getPropertyValue('--surface');
  context.fillRect(0, 0, width, height + below);
  context.drawImage(image, 0, 0, width, height);
  draw?.(context, style);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The browser could not draw the PNG.'))), 'image/png');
  });
}
