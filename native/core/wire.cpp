#include "core/wire.h"

#include <cstring>

#include "core/error.h"

namespace talweg {
namespace {

// Also in src/engine/native/wire.ts.
enum class Kind : std::uint8_t { nothing, no, yes, integer, number, newText, text, list, record, array };

class Reader {
 public:
  Reader(ByteSpan bytes, const std::vector<ByteSpan>& arrays)
      : at_(bytes.first), left_(bytes.second), arrays_(arrays) {}

  Data read() {
    switch (static_cast<Kind>(take<std::uint8_t>())) {
      case Kind::nothing:
        return Data();
      case Kind::no:
        return Data(false);
      case Kind::yes:
        return Data(true);
      case Kind::integer:
        return Data(static_cast<double>(take<std::int32_t>()));
      case Kind::number:
        return Data(take<double>());
      case Kind::newText:
        return Data(newText());
      case Kind::text:
        return Data(knownText());
      case Kind::list:
        return Data(list());
      case Kind::record:
        return Data(record());
      case Kind::array:
        return Data(array());
    }
    throw EngineError("INTERNAL", "a program is not in the form that the engine reads");
  }

  bool isAtEnd() const { return left_ == 0; }

 private:
  template <class Number>
  Number take() {
    Number result;
    std::memcpy(&result, skip(sizeof(Number)), sizeof(Number));
    return result;
  }

  const std::uint8_t* skip(std::size_t sizeBytes) {
    invariant(sizeBytes <= left_, "a program has all its bytes");
    const std::uint8_t* from = at_;
    at_ += sizeBytes;
    left_ -= sizeBytes;
    return from;
  }

  const std::string& newText() {
    const std::size_t sizeBytes = take<std::uint32_t>();
    texts_.emplace_back(reinterpret_cast<const char*>(skip(sizeBytes)), sizeBytes);
    return texts_.back();
  }

  const std::string& knownText() { return texts_.at(take<std::uint32_t>()); }

  const std::string& name() { return static_cast<Kind>(take<std::uint8_t>()) == Kind::text ? knownText() : newText(); }

  Data::List list() {
    const std::size_t count = take<std::uint32_t>();
    invariant(count <= left_, "a program has all its bytes");
    Data::List result;
    result.reserve(count);
    for (std::size_t i = 0; i < count; ++i) result.push_back(read());
    return result;
  }

  Data::Record record() {
    const std::size_t count = take<std::uint32_t>();
    Data::Record result;
    for (std::size_t i = 0; i < count; ++i) {
      std::string key = name();
      result.emplace(std::move(key), read());
    }
    return result;
  }

  Data::Bytes array() {
    const auto [start, sizeBytes] = arrays_.at(take<std::uint32_t>());
    return Data::Bytes(start, start + sizeBytes);
  }

  const std::uint8_t* at_;
  std::size_t left_;
  const std::vector<ByteSpan>& arrays_;
  std::vector<std::string> texts_;
};

}  // namespace

Data readWire(ByteSpan bytes, const std::vector<ByteSpan>& arrays) {
  Reader reader(bytes, arrays);
  Data result = reader.read();
  invariant(reader.isAtEnd(), "a program ends where it is read to");
  return result;
}

}  // namespace talweg
