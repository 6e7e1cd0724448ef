#include "onednn/session.h"

#include "core/error.h"

namespace talweg::onednn {

void limitInstructionSet(const std::string& target) {
  if (target == "avx512bf16") return;
  dnnl::cpu_isa isa = dnnl::cpu_isa::sse41;
  if (target == "avx512") isa = dnnl::cpu_isa::avx512_core_vnni;
  if (target == "avx2") isa = dnnl::cpu_isa::avx2;
  if (dnnl::set_max_cpu_isa(isa) != dnnl::status::success) {
    throw EngineError("ENGINE_FAILED", "oneDNN was in use before TALWEG_CPU could limit its instructions");
  }
}

std::string versionText() {
  const dnnl_version_t* version = dnnl_version();
  return std::to_string(version->major) + "." + std::to_string(version->minor) + "." + std::to_string(version->patch);
}

dnnl::memory::data_type dataTypeOf(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return dnnl::memory::data_type::f32;
    case DType::bf16:
      return dnnl::memory::data_type::bf16;
    default:
      throw EngineError("INTERNAL", std::string("oneDNN is given no ") + nameOf(dtype));
  }
}

dnnl::memory::desc describe(const View& view) { return {view.shape, dataTypeOf(view.dtype), view.strides}; }

dnnl::memory::desc anyLayout(const View& view) {
  return {view.shape, dataTypeOf(view.dtype), dnnl::memory::format_tag::any};
}

void Prepared::bind(int argument, const dnnl::memory::desc& description, void* data) {
  memories_.emplace_back(description, session_.engine, data);
  arguments_.push_back({argument, memories_.back().get()});
}

void Prepared::run() const {
  const dnnl_status_t status = dnnl_primitive_execute(primitive_.get(), session_.stream.get(),
                                                      static_cast<int>(arguments_.size()), arguments_.data());
  if (status != dnnl_success)
    throw EngineError("ENGINE_FAILED", "oneDNN could not run: status " + std::to_string(status));
}

Prepared& Sequence::add(dnnl::primitive primitive) {
  steps_.push_back(std::make_unique<Prepared>(session_, std::move(primitive)));
  return *steps_.back();
}

void Sequence::addReorder(const dnnl::memory::desc& from, void* source, const dnnl::memory::desc& to,
                          void* destination) {
  Prepared& step = add(dnnl::reorder(dnnl::reorder::primitive_desc(session_.engine, from, session_.engine, to)));
  step.bind(DNNL_ARG_FROM, from, source);
  step.bind(DNNL_ARG_TO, to, destination);
}

void Sequence::run() const {
  for (const auto& step : steps_) step->run();
}

dnnl::primitive_attr plannedScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

Task taskOf(std::shared_ptr<Sequence> sequence) {
  return [sequence = std::move(sequence)] { sequence->run(); };
}

Task ifImplemented(const std::function<Task()>& prepare) {
  try {
    return prepare();
  } catch (const dnnl::error& error) {
    // A layout or type that no implementation takes is reported by either of the two.
    if (error.status == dnnl_unimplemented || error.status == dnnl_invalid_arguments) return {};
    throw EngineError("ENGINE_FAILED", std::string("oneDNN: ") + error.what());
  }
}

}  // namespace talweg::onednn
