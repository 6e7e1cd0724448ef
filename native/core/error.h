// The engine's one exception. Its code is one of src/core/errors.ts; at the border it becomes a JavaScript error.
#pragma once

#include <stdexcept>
#include <string>

namespace talweg {

class EngineError : public std::runtime_error {
 public:
  EngineError(std::string code, const std::string& problem) : std::runtime_error(problem), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

// For what the compiler in TypeScript has guaranteed: its failure is a bug in Talweg.
inline void invariant(bool condition, const std::string& what) {
  if (!condition) throw EngineError("INTERNAL", "invariant broken: " + what);
}

}  // namespace talweg
