#include "addon/convert.h"

namespace talweg::addon {
namespace {

Data bytesOf(const Napi::TypedArray& array) {
  const auto* start = static_cast<const std::uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return Data(Data::Bytes(start, start + array.ByteLength()));
}

Data listOf(const Napi::Array& array) {
  Data::List list;
  list.reserve(array.Length());
  for (std::uint32_t i = 0; i < array.Length(); ++i) list.push_back(toData(array.Get(i)));
  return Data(std::move(list));
}

Data recordOf(const Napi::Object& object) {
  Data::Record record;
  const Napi::Array names = object.GetPropertyNames();
  for (std::uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).ToString();
    record.emplace(name, toData(object.Get(name)));
  }
  return Data(std::move(record));
}

}  // namespace

Data toData(const Napi::Value& value) {
  if (value.IsNull() || value.IsUndefined()) return Data();
  if (value.IsBoolean()) return Data(value.As<Napi::Boolean>().Value());
  if (value.IsNumber()) return Data(value.As<Napi::Number>().DoubleValue());
  if (value.IsString()) return Data(value.As<Napi::String>().Utf8Value());
  if (value.IsTypedArray()) return bytesOf(value.As<Napi::TypedArray>());
  if (value.IsArray()) return listOf(value.As<Napi::Array>());
  if (value.IsObject()) return recordOf(value.As<Napi::Object>());
  throw EngineError("INTERNAL", "a value of a kind that the engine doesn't take");
}

Napi::Error toError(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

Napi::Error currentError(Napi::Env env) {
  try {
    throw;
  } catch (const EngineError& error) {
    return toError(env, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return toError(env, "DOES_NOT_FIT", "the system refused memory");
  } catch (const std::exception& error) {
    return toError(env, "ENGINE_FAILED", error.what());
  }
}

}  // namespace talweg::addon
