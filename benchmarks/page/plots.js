/* global uPlot */
// Draws the plots from the JSON in the page. Runs in a browser, after uPlot.
const plots = JSON.parse(document.getElementById('plots').textContent)
const dark = matchMedia('(prefers-color-scheme: dark)')

function draw() {
  const ink = getComputedStyle(document.body).color
  for (const plot of plots) {
    const place = document.getElementById(plot.id)
    place.replaceChildren()
    const axis = ({ label }) => ({
      label,
      stroke: ink,
      grid: { stroke: '#8884', width: 1 },
      ticks: { stroke: '#8888' },
      values: (_, values) => values.map((value) => (value === null ? '' : short(value))),
    })
    const data = uPlot.join(plot.series.map(({ x, y }) => [x, y]))
    new uPlot(
      {
        width: Math.min(900, document.body.clientWidth - 32),
        height: 380,
        scales: { x: { time: false, distr: 3, log: 10 }, y: { distr: 3, log: 10 } },
        axes: [axis(plot.x), { ...axis(plot.y), size: 70 }],
        legend: { live: false },
        hooks: { draw: [(chart) => bars(chart, plot.series)] },
        series: [
          { label: plot.x.label },
          ...plot.series.map(({ label, color, dash, line, hollow }) => ({
            label,
            stroke: color,
            width: line ? 2 : 0,
            dash: dash ? [6, 5] : undefined,
            spanGaps: true,
            points: {
              show: !line,
              size: 8,
              stroke: color,
              fill: hollow ? 'transparent' : color,
            },
          })),
        ],
      },
      data,
      place,
    )
  }
}

/** Draws each interval as a vertical line through its point. */
function bars({ ctx, valToPos, scales }, series) {
  ctx.save()
  ctx.lineWidth = devicePixelRatio
  for (const { color, x, bars = [] } of series) {
    ctx.strokeStyle = color
    for (const [i, interval] of bars.entries()) {
      if (interval === null) continue
      const [low, high] = interval.map((value) => valToPos(Math.max(value, scales.y.min), 'y', true))
      const at = valToPos(x[i], 'x', true)
      ctx.beginPath()
      for (const y of [low, high]) {
        ctx.moveTo(at - 4 * devicePixelRatio, y)
        ctx.lineTo(at + 4 * devicePixelRatio, y)
      }
      ctx.moveTo(at, low)
      ctx.lineTo(at, high)
      ctx.stroke()
    }
  }
  ctx.restore()
}

function short(value) {
  if (value >= 1e6) return `${value / 1e6}M`
  if (value >= 1e3) return `${value / 1e3}k`
  return String(Number(value.toPrecision(2)))
}

draw()
dark.addEventListener('change', draw)
addEventListener('resize', draw)
