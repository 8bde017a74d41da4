// Charts by uPlot: made once for each place and set of series, then given new values.

const made = new Map();
const STROKES = ["#2f7fd1", "#d17a22", "#2c9a5b", "#b0479b", "#8a6d3b", "#6b7cff"];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function forget() {
  for (const { plot } of made.values()) plot.destroy();
  made.clear();
}

// `place`: an element. `labels`: of the series. `columns`: x values, then those of each series (null: no value).
export function draw(place, labels, columns, { time = true, height = 180, digits = 2, step = false } = {}) {
  for (const [gone, { plot }] of made) {
    if (!gone.isConnected) {
      plot.destroy();
      made.delete(gone);
    }
  }
  const name = JSON.stringify([labels, time]);
  const before = made.get(place);
  if (before && before.name === name && before.plot.root.isConnected) {
    before.plot.setData(columns);
    return;
  }
  if (before) before.plot.destroy();
  place.replaceChildren();
  const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const value = (_, v) => (v === null || v === undefined ? "-" : v.toFixed(digits));
  const plot = new uPlot(
    {
      width: Math.max(200, place.clientWidth),
      height,
      scales: { x: { time } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      cursor: { drag: { x: false, y: false } },
      axes: [axis, { ...axis, size: 56 }],
      series: [
        { label: time ? "time" : "round" },
        ...labels.map((label, number) => ({
          label,
          stroke: STROKES[number % STROKES.length],
          width: 2,
          spanGaps: true,
          value,
          points: { show: !time, size: 5 },
          ...(step ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
        })),
      ],
    },
    columns,
    place,
  );
  made.set(place, { name, plot });
}

export function resize() {
  for (const [place, { plot }] of made) {
    plot.setSize({ width: Math.max(200, place.clientWidth), height: plot.height });
  }
}
