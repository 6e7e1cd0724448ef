/** `talweg fit`: linear, logistic and softmax regression on a table. */
import { exitCodes } from '../../core/errors.js'
import { fit as runFit, saveModel, type FitMethod } from '../../train/fit/index.js'
import { defineCommand } from '../command.js'
import { checkMethod, fitFlags, fitOptionsOf, foldsOf } from '../fitFlags.js'
import { FitView, reportFit } from '../fitReport.js'
import { badFlag, defineFlags } from '../flags.js'

const flags = defineFlags({ ...fitFlags, target: { ...fitFlags.target, isRequired: true } })

export const fit = defineCommand({
  name: 'fit',
  describe: 'Fit a linear, logistic or softmax regression to a table',
  args: [{ name: 'TABLE', describe: 'A CSV, TSV, Parquet or JSON file, or a pattern such as part-*.parquet' }],
  flags,
  examples: [
    ['talweg fit houses.csv --target price', 'Linear regression'],
    ['talweg fit irises.csv --target species --save irises.json', 'Softmax regression, kept for talweg predict'],
    ['talweg fit houses.csv --target price --cross-validate 5', 'What rows cost that were not trained on'],
    ['talweg fit clicks.parquet --target clicked --method sgd --epochs 1', 'Logistic regression, one row a step'],
  ],
  run: async ([file], values, output) => {
    const { workers = 1, method: methodText = 'gd' } = values
    const method = methodText as FitMethod
    if (workers > 1) throw badFlag('fit', `--workers is ${workers}; this version fits with one`, 'leave --workers out')
    checkMethod(method, values)
    const folds = foldsOf('fit', values)
    const view = new FitView(output)
    try {
      const result = await runFit(
        file,
        {
          ...fitOptionsOf('fit', values),
          method,
          learningRate: (values.learningRate ?? 'auto') as number | 'auto',
          epochs: values.epochs,
          batchSize: values.batchSize,
          crossValidation: folds && { folds },
        },
        view,
      )
      view.close()
      if (values.save !== undefined) await saveModel(values.save, result.fitted)
      reportFit(result, values.save, output)
      return view.request?.exitCode ?? exitCodes.done
    } finally {
      view.close()
    }
  },
})
