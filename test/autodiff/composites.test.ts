/** Every composite's derivative, and the derivative of that, is what finite differences say. */
import { compositeDerivatives } from './cases/composites.js'
import { testDerivatives } from './support/suite.js'

testDerivatives('derivatives of composites', compositeDerivatives)
