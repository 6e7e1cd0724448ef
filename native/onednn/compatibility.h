// oneDNN 2.6 and 3.x behind one face.
//
// 2.x describes a primitive in two steps (an operation descriptor, then a primitive descriptor from it, attributes and
// the engine), 3.x in one. 2.x has a pooling of its own, `pooling_v2`, for windows with gaps; 3.x merged them.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <string>

namespace talweg::onednn {

#if DNNL_VERSION_MAJOR >= 3

using PoolingForward = dnnl::pooling_forward;
using PoolingBackward = dnnl::pooling_backward;

template <class Primitive, class... Arguments>
typename Primitive::primitive_desc makeDescription(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                                   const Arguments&... arguments) {
  return typename Primitive::primitive_desc(engine, arguments..., attributes);
}

// The first choice: the other code was compared with 2.x's only.
template <class Primitive, class... Arguments>
typename Primitive::primitive_desc makePackingDescription(const dnnl::engine& engine,
                                                          const dnnl::primitive_attr& attributes,
                                                          const Arguments&... arguments) {
  return makeDescription<Primitive>(engine, attributes, arguments...);
}

// A backward primitive also takes the description of its forward one.
template <class Primitive, class Forward, class... Arguments>
typename Primitive::primitive_desc makeBackwardDescription(const dnnl::engine& engine,
                                                           const dnnl::primitive_attr& attributes,
                                                           const Forward& forward, const Arguments&... arguments) {
  return typename Primitive::primitive_desc(engine, arguments..., forward, attributes);
}

inline void appendEltwise(dnnl::post_ops& operations, dnnl::algorithm algorithm) {
  operations.append_eltwise(algorithm, 0.0f, 0.0f);
}

#else

using PoolingForward = dnnl::pooling_v2_forward;
using PoolingBackward = dnnl::pooling_v2_backward;

template <class Primitive, class... Arguments>
typename Primitive::primitive_desc makeDescription(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                                   const Arguments&... arguments) {
  return typename Primitive::primitive_desc(typename Primitive::desc(arguments...), attributes, engine);
}

// The code of a product that packs its operands on the way, or the first choice where there is none.
template <class Primitive, class... Arguments>
typename Primitive::primitive_desc makePackingDescription(const dnnl::engine& engine,
                                                          const dnnl::primitive_attr& attributes,
                                                          const Arguments&... arguments) {
  // It must live as long as other codes are asked for.
  const typename Primitive::desc operation(arguments...);
  typename Primitive::primitive_desc description(operation, attributes, engine);
  do {
    if (std::string(description.impl_info_str()).rfind("gemm:jit", 0) == 0) return description;
  } while (description.next_impl());
  return typename Primitive::primitive_desc(operation, attributes, engine);
}

template <class Primitive, class Forward, class... Arguments>
typename Primitive::primitive_desc makeBackwardDescription(const dnnl::engine& engine,
                                                           const dnnl::primitive_attr& attributes,
                                                           const Forward& forward, const Arguments&... arguments) {
  return typename Primitive::primitive_desc(typename Primitive::desc(arguments...), attributes, engine, forward);
}

inline void appendEltwise(dnnl::post_ops& operations, dnnl::algorithm algorithm) {
  operations.append_eltwise(1.0f, algorithm, 0.0f, 0.0f);
}

#endif

}  // namespace talweg::onednn
