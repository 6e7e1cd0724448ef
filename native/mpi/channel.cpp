#include "mpi/channel.h"

#include <algorithm>

#include "mpi/exchange.h"

namespace talweg::mpi {
namespace {

// A place's address, count and datatype, as MPI's calls take them.
struct Arguments {
  void* data;
  int count;
  Datatype type;
};

Arguments argumentsOf(const Place& place, const Library& library) {
  if (place.runs != nullptr) return {nullptr, 1, place.runs};
  return {place.data, static_cast<int>(place.sizeBytes), library.byte};
}

}  // namespace

void Channel::send(Exchange& owner, const Message& message, const Place& place, int tag) {
  const Arguments given = argumentsOf(place, library_);
  Request request;
  library_.check(library_.isend(given.data, given.count, given.type, message.peer, tag, library_.world, &request),
                 "MPI_Isend");
  bytesSent_ += place.sizeBytes;
  post(owner, message, request);
}

void Channel::receive(Exchange& owner, const Message& message, const Place& place, int tag) {
  const Arguments given = argumentsOf(place, library_);
  Request request;
  library_.check(library_.irecv(given.data, given.count, given.type, message.peer, tag, library_.world, &request),
                 "MPI_Irecv");
  post(owner, message, request);
}

void Channel::post(Exchange& owner, const Message& message, Request request) {
  requests_.push_back(request);
  underWay_.push_back({&owner, message});
}

bool Channel::poll() {
  if (requests_.empty()) return false;
  indices_.resize(requests_.size());
  statuses_.resize(requests_.size());
  int numDone = 0;
  library_.check(library_.testSome(static_cast<int>(requests_.size()), requests_.data(), &numDone, indices_.data(),
                                   statuses_.data()),
                 "MPI_Testsome");
  if (numDone == undefined || numDone == 0) return false;
  std::vector<UnderWay> done;
  for (int i = 0; i < numDone; ++i) done.push_back(underWay_[indices_[i]]);
  // From the back, so that what takes a place has not to be moved again.
  std::sort(indices_.begin(), indices_.begin() + numDone, [](int left, int right) { return left > right; });
  for (int i = 0; i < numDone; ++i) {
    requests_[indices_[i]] = requests_.back();
    underWay_[indices_[i]] = underWay_.back();
    requests_.pop_back();
    underWay_.pop_back();
  }
  for (const UnderWay& message : done) message.owner->done(*this, message.message);
  return true;
}

void Channel::pollIdle() {
  int isThere;
  Status status;
  library_.check(library_.iprobe(anySource, anyTag, library_.world, &isThere, &status), "MPI_Iprobe");
}

char* Channel::store(int index, std::size_t sizeBytes) {
  std::unique_ptr<Memory>& memory = stores_[index];
  if (memory == nullptr || memory->sizeBytes() < sizeBytes) memory = std::make_unique<Memory>(sizeBytes);
  return memory->data();
}

Place Channel::join(const std::vector<Run>& runs) {
  std::vector<int> lengths;
  std::vector<std::ptrdiff_t> addresses;
  Place place;
  for (const Run& run : runs) {
    lengths.push_back(static_cast<int>(run.sizeBytes));
    addresses.push_back(reinterpret_cast<std::ptrdiff_t>(run.data));
    place.sizeBytes += run.sizeBytes;
  }
  library_.check(library_.typeHindexed(static_cast<int>(runs.size()), lengths.data(), addresses.data(), library_.byte,
                                       &place.runs),
                 "MPI_Type_create_hindexed");
  types_.push_back(place.runs);
  library_.check(library_.typeCommit(&types_.back()), "MPI_Type_commit");
  return place;
}

void Channel::freeTypes() {
  for (Datatype& type : types_) library_.check(library_.typeFree(&type), "MPI_Type_free");
  types_.clear();
}

}  // namespace talweg::mpi
