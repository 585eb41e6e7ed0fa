import { expect, test } from 'vitest';
import { toLatex } from './latex';
import { lineFigure } from './paper';

const figure = { title: 'a <b> & "c"', x: [0, 1, 2, 3], xLabel: 'epoch', yLabel: 'loss', lines: [{ label: 'one', color: '#123456', value: [1, null, 3, 2] }] };

test('a figure has a title, axes, and a line that a gap breaks', () => {
  const svg = lineFigure(figure);
  expect(svg).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
  expect(svg).toContain('>epoch</text>');
  expect(svg).toContain('>loss</text>');
  expect(svg.match(/<path d="([^"]*)"/)![1]!.match(/M/g)).toHaveLength(2);
  expect(svg).not.toContain('>one</text>'); // a single line needs no legend
});

test('a figure names its lines and marks, and shows the part that is asked for', () => {
  const two = { ...figure, lines: [...figure.lines, { label: 'two', loose: true, value: [undefined, 9, undefined, 4] }] };
  const svg = lineFigure({ ...two, marks: [{ at: 1, name: 'round 1' }, { at: 3, name: 'round 2' }], marked: 'sampling round', range: [0, 2] });
  for (const name of ['one', 'two', 'sampling round']) expect(svg).toContain(`>${name}</text>`);
  expect(svg.match(/<circle/g)).toHaveLength(1);
  expect(svg.match(/stroke-opacity/g)).toHaveLength(1);
});

test('a table in LaTeX escapes names and aligns numbers', () => {
  const text = toLatex({ header: ['name', 'test_accuracy'], rows: [['a_b & 50 % {x} \\ ~', 0.123456], ['c', null]] });
  expect(text).toContain('\\begin{tabular}{lr}');
  expect(text).toContain('name & test accuracy \\\\');
  expect(text).toContain('a\\_b \\& 50 \\% \\{x\\} \\textbackslash{} \\textasciitilde{} & 0.1235 \\\\');
  expect(text).toContain('c & -- \\\\');
});
