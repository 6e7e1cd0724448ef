#include "engine/program.h"

#include "core/error.h"

namespace talweg {
namespace {

std::vector<int> indices(const Data& data) {
  std::vector<int> result;
  for (const Data& index : data.list()) result.push_back(static_cast<int>(index.integer()));
  return result;
}

Storage storageNamed(const std::string& name) {
  if (name == "arena") return Storage::arena;
  if (name == "constant") return Storage::constant;
  if (name == "state") return Storage::state;
  if (name == "input") return Storage::input;
  if (name == "output") return Storage::output;
  throw EngineError("INTERNAL", "no such storage: " + name);
}

Buffer readBuffer(const Data& data) {
  Buffer buffer{storageNamed(data["storage"].text()),
                static_cast<std::size_t>(data["sizeBytes"].integer()),
                static_cast<std::size_t>(data["offsetBytes"].integer()),
                {}};
  if (buffer.storage == Storage::constant) {
    buffer.contents = data["data"]["data"].bytes();
    invariant(buffer.contents.size() >= buffer.sizeBytes, "a constant fills its buffer");
  }
  return buffer;
}

Value readValue(const Data& data) {
  Value value{dtypeNamed(data["dtype"].text()),
              data["shape"].integers(),
              static_cast<int>(data["buffer"].integer()),
              data["offsetElements"].integer(),
              {}};
  value.strides = data.has("strides") ? data["strides"].integers() : contiguousStrides(value.shape);
  return value;
}

using Bodies = std::vector<std::shared_ptr<const Body>>;

Instruction readInstruction(const Data& data, const Bodies& bodies) {
  Instruction instruction;
  instruction.operation = data["operation"].text();
  instruction.attributes = data["attributes"];
  if (instruction.operation == "composite") {
    instruction.composite = data["attributes"]["name"].text();
    instruction.attributes = data["attributes"]["attributes"];
  }
  instruction.inputs = indices(data["inputs"]);
  instruction.outputs = indices(data["outputs"]);
  if (data.has("body")) instruction.body = bodies.at(data["body"].integer());
  if (data.has("scratch")) instruction.scratch = static_cast<int>(data["scratch"].integer());
  instruction.label = data["label"].text();
  return instruction;
}

std::shared_ptr<const Body> readBody(const Data& data, const Bodies& bodies) {
  auto body = std::make_shared<Body>();
  for (const Data& type : data["values"].list()) {
    body->values.push_back({dtypeNamed(type["dtype"].text()), type["shape"].integers()});
  }
  for (const Data& constant : data["constants"].list()) {
    body->constants.push_back({static_cast<int>(constant["value"].integer()),
                               std::make_shared<const Data::Bytes>(constant["data"]["data"].bytes())});
  }
  body->inputs = indices(data["inputs"]);
  body->outputs = indices(data["outputs"]);
  for (const Data& instruction : data["instructions"].list()) {
    body->instructions.push_back(readInstruction(instruction, bodies));
  }
  return body;
}

// A body comes after those inside it.
std::vector<Instruction> readInstructions(const Data& data) {
  Bodies bodies;
  for (const Data& body : data["bodies"].list()) bodies.push_back(readBody(body, bodies));
  std::vector<Instruction> instructions;
  for (const Data& instruction : data["instructions"].list()) {
    instructions.push_back(readInstruction(instruction, bodies));
  }
  return instructions;
}

std::vector<Value> readValues(const Data& data) {
  std::vector<Value> values;
  for (const Data& value : data["values"].list()) values.push_back(readValue(value));
  return values;
}

Program::State readState(const Data& data) {
  Program::State state{data["name"].text(), static_cast<int>(data["value"].integer()), std::nullopt,
                       data["isAliased"].boolean()};
  if (data.has("output")) state.output = static_cast<int>(data["output"].integer());
  return state;
}

}  // namespace

Unplaced readUnplaced(const Data& data) { return {readValues(data), readInstructions(data)}; }

Program readProgram(const Data& data) {
  Program program;
  program.name = data["name"].text();
  for (const Data& buffer : data["buffers"].list()) program.buffers.push_back(readBuffer(buffer));
  program.values = readValues(data);
  program.instructions = readInstructions(data);
  for (const Data& input : data["inputs"].list()) {
    program.inputs.push_back(
        {input["name"].text(), static_cast<int>(input["value"].integer()), input["stepped"].boolean()});
  }
  for (const Data& state : data["state"].list()) program.state.push_back(readState(state));
  for (const Data& output : data["outputs"].list()) {
    program.outputs.push_back({output["name"].text(), static_cast<int>(output["value"].integer())});
  }
  program.arenaSizeBytes = static_cast<std::size_t>(data["arenaSizeBytes"].integer());
  return program;
}

}  // namespace talweg
