// Plain data as it comes from JavaScript: attributes, and programs before they are read. No Node-API here, so that all
// behind it can be read, and tested, without Node.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "core/view.h"

namespace talweg {

class Data {
 public:
  using List = std::vector<Data>;
  using Record = std::map<std::string, Data>;
  using Bytes = std::vector<std::uint8_t>;

  Data() = default;
  explicit Data(bool value) : value_(value) {}
  explicit Data(double value) : value_(value) {}
  explicit Data(std::string value) : value_(std::move(value)) {}
  explicit Data(List value) : value_(std::move(value)) {}
  explicit Data(Record value) : value_(std::move(value)) {}
  explicit Data(Bytes value) : value_(std::move(value)) {}

  // Each throws EngineError where the data is of another kind: the compiler and the engine disagree then.
  bool boolean() const { return get<bool>("a boolean"); }
  double number() const { return get<double>("a number"); }
  std::int64_t integer() const { return static_cast<std::int64_t>(number()); }
  const std::string& text() const { return get<std::string>("a string"); }
  const List& list() const { return get<List>("a list"); }
  const Bytes& bytes() const { return get<Bytes>("bytes"); }
  Dims integers() const;
  const Data& operator[](const std::string& key) const;
  bool has(const std::string& key) const;
  bool isNull() const { return std::holds_alternative<std::monostate>(value_); }

 private:
  template <class T>
  const T& get(const char* what) const {
    const T* value = std::get_if<T>(&value_);
    if (value == nullptr) mismatch(what);
    return *value;
  }
  [[noreturn]] static void mismatch(const char* what);

  std::variant<std::monostate, bool, double, std::string, List, Record, Bytes> value_;
};

}  // namespace talweg
