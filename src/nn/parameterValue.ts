/** The value that a parameter has among those of a checkpoint: for whoever takes a model's values from one. */
import { TalwegError } from '../core/errors.js'
import { formatType, sameType, type TensorData, type TensorType } from '../core/shape.js'

/**
 * @param path the parameter's
 * @param values by path, such as a checkpoint's
 * @throws CHECKPOINT_MISMATCH where there is none of that path, or one of another type
 */
export function parameterValue(
  operation: string,
  path: string,
  type: TensorType,
  values: ReadonlyMap<string, TensorData>,
): TensorData {
  const found = values.get(path)
  if (found !== undefined && sameType(found, type)) return found
  throw new TalwegError({
    code: 'CHECKPOINT_MISMATCH',
    operation,
    problem: `the model's ${path} is ${formatType(type)}; the values given have ${found === undefined ? 'none' : formatType(found)}`,
    hint: 'take the values of this very model: of a run, with the training file that it was made with',
  })
}
