/** What a run reports, and where it is kept. */
export { drawChart, pointsOf, spansDecades } from './chart.js'
export { cutReportsAfter, MetricsLog, metricsName, readReports } from './log.js'
export { drawLossCurve } from './lossCurve.js'
export { placeKeys, type Report } from './report.js'
export { EventFile } from './tensorboard.js'
