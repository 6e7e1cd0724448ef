#include "core/data.h"

#include "core/error.h"

namespace talweg {

void Data::mismatch(const char* what) {
  throw EngineError("INTERNAL", std::string("the program has no ") + what + " where one belongs");
}

Dims Data::integers() const {
  Dims result;
  for (const Data& element : list()) result.push_back(element.integer());
  return result;
}

const Data& Data::operator[](const std::string& key) const {
  const Record& record = get<Record>("a record");
  auto found = record.find(key);
  if (found == record.end()) throw EngineError("INTERNAL", "the program has no '" + key + "' where one belongs");
  return found->second;
}

bool Data::has(const std::string& key) const {
  const Record& record = get<Record>("a record");
  auto found = record.find(key);
  return found != record.end() && !found->second.isNull();
}

}  // namespace talweg
