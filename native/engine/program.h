// The flat program of src/engine/program.ts, read into C++.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/data.h"
#include "core/view.h"

namespace talweg {

enum class Storage { arena, constant, state, input, output };

struct Buffer {
  Storage storage;
  std::size_t sizeBytes;
  std::size_t offsetBytes;
  Data::Bytes contents;  // of a constant
};

struct Value {
  DType dtype;
  Dims shape;
  int buffer;
  std::int64_t offsetElements;
  Dims strides;
};

struct Body;

struct Instruction {
  std::string operation;  // for a composite, `composite`
  std::string composite;  // its name, else empty
  Data attributes;        // for a composite, its own
  std::vector<int> inputs, outputs;
  std::shared_ptr<const Body> body;
  std::optional<int> scratch;  // an arena buffer
  std::string label;

  const std::string& name() const { return composite.empty() ? operation : composite; }
};

// The inside of a composite.
struct Body {
  struct Type {
    DType dtype;
    Dims shape;
  };
  struct Constant {
    int value;
    std::shared_ptr<const Data::Bytes> contents;
  };
  std::vector<Type> values;
  std::vector<Constant> constants;
  std::vector<int> inputs, outputs;
  std::vector<Instruction> instructions;
};

struct Program {
  struct Input {
    std::string name;
    int value;
    bool isStepped;
  };
  struct State {
    std::string name;
    int value;
    std::optional<int> output;
    bool isAliased;
  };
  struct Output {
    std::string name;
    int value;
  };
  std::string name;
  std::vector<Buffer> buffers;
  std::vector<Value> values;
  std::vector<Instruction> instructions;
  std::vector<Input> inputs;
  std::vector<State> state;
  std::vector<Output> outputs;
  std::size_t arenaSizeBytes;
};

// Instructions over values that have no place yet.
struct Unplaced {
  std::vector<Value> values;
  std::vector<Instruction> instructions;
};

Program readProgram(const Data& data);
Unplaced readUnplaced(const Data& data);

}  // namespace talweg
