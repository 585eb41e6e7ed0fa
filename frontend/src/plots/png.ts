import type { Line } from './lines';
import { escaped } from './paper';

/** Pixels of a PNG for each pixel of the plot. */
const SCALE = 3;

const INLINED = [
  'fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-linecap', 'stroke-opacity', 'opacity',
  'font-family', 'font-size', 'font-weight', 'text-anchor', 'dominant-baseline',
] as const;

/** Draw an SVG of the page as a figure of a paper shows it. */
export const svgToPng = (svg: SVGSVGElement): Promise<Blob> => figureToPng(svgFigure(svg, {}));

export interface Titles {
  title?: string;
  x?: string;
  y?: string;
}

const FONT = 'Helvetica, Arial, sans-serif';

/** An SVG of the page as the text of an SVG file: in the colours for light backgrounds, on white, with title and axes. */
export function svgFigure(svg: SVGSVGElement, { title, x, y }: Titles): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  // Styles come from style sheets, so they are copied. In this class, colours are those for light backgrounds.
  svg.classList.add('paper');
  const originals = svg.querySelectorAll('*');
  copy.querySelectorAll<SVGElement>('*').forEach((element, i) => {
    const style = getComputedStyle(originals[i]!);
    for (const name of INLINED) element.style.setProperty(name, style.getPropertyValue(name));
  });
  svg.classList.remove('paper');
  const { width, height } = svg.getBoundingClientRect();
  const [left, above, below] = [y ? 24 : 0, title ? 34 : 0, x ? 26 : 0];
  copy.setAttribute('x', String(left));
  copy.setAttribute('y', String(above));
  const [wide, high] = [width + left + 8, height + above + below + 8];
  const inner = new XMLSerializer().serializeToString(copy);
  const text = (content: string, more: string) => `<text fill="#16202b" font-family="${FONT}" ${more}>${escaped(content)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" viewBox="0 0 ${wide} ${high}">`,
    title ? `<title>${escaped(title)}</title>` : '',
    '<rect width="100%" height="100%" fill="#fff"/>',
    title ? text(title, 'x="8" y="22" font-size="15" font-weight="bold"') : '',
    inner,
    x ? text(x, `x="${left + width / 2}" y="${above + height + 18}" font-size="12" text-anchor="middle"`) : '',
    y ? text(y, `font-size="12" text-anchor="middle" transform="translate(16 ${above + height / 2}) rotate(-90)"`) : '',
    '</svg>',
  ].join('');
}

/** The text of an SVG file as a PNG for print. */
export async function figureToPng(figure: string): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([figure], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth * SCALE, image.naturalHeight * SCALE];
    canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await toBlob(canvas);
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
  return toBlob(canvas);
}

function toBlob(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The browser could not draw the PNG.'))), 'image/png');
  });
}
