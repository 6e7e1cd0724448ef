// oneDNN 2.6 and 3.x behind one face.
//
// 2.x describes a primitive in two steps (an operation descriptor, then a primitive descriptor from it, attributes and
// the engine), 3.x in one. 2.x has a pooling of its own, `pooling_v2`, for windows with gaps; 3.x merged them.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

namespace talweg::onednn {

#if DNNL_VERSION_MAJOR >= 3

using PoolingForward = dnnl::pooling_forward;
using PoolingBackward = dnnl::pooling_backward;

template <class Primitive, class... Arguments>
typename Primitive::primitive_desc makeDescription(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                                   const Arguments&... arguments) {
  return typename Primitive::primitive_desc(engine, arguments..., attributes);
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
