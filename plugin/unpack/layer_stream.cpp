#include "plugin/unpack/layer_stream.h"

#include <pthread.h>

#include <algorithm>
#include <system_error>

#include "plugin/base/cpu_clock.h"
#include "plugin/base/text.h"

namespace paceline::unpack {
namespace {

/// Stays in a core's second-level cache between inflating, hashing and writing, and is worth a call each [assumed].
constexpr std::size_t kPieceBytes = 256U << 10U;
constexpr std::size_t kMinPieces = 2;

}  // namespace

LayerStream::LayerStream(std::unique_ptr<Decoder> decoder, const Limits& limits, std::size_t buffer_bytes,
                         const Turn& turn)
    : decoder_(std::move(decoder)),
      limits_(limits),
      turn_(turn),
      ring_(std::max(kMinPieces, buffer_bytes / kPieceBytes)) {}

LayerStream::~LayerStream() {
  if (!helper_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  turn_.leave();  // The helper may want to get in before it sees that it is to stop.
  helper_.join();
  turn_.enter();
}

Result<std::size_t> LayerStream::fill(Piece& piece) {
  if (!piece.bytes) piece.bytes.reset(new std::byte[kPieceBytes]);
  auto size = decoder_->read(std::span(piece.bytes.get(), kPieceBytes));
  if (!size) return fail(size.error());
  piece.size = *size;
  filled_bytes_ += *size;
  if (filled_bytes_ > limits_.bytes) {
    return fail(Code::kResourceExhausted,
                "the layer is larger than " + format_bytes(limits_.bytes) + " uncompressed, the limit");
  }
  if (filled_bytes_ > limits_.ratio_counts_from && filled_bytes_ / limits_.ratio > decoder_->consumed()) {
    return fail(Code::kResourceExhausted, "the layer grows to more than " + std::to_string(limits_.ratio) +
                                              " times its compressed size, the limit");
  }
  return *size;
}

Result<std::span<const std::byte>> LayerStream::next() {
  turn_.give_way();
  if (!helper_.joinable() && !ended_ && turn_.try_enter()) start_helper();
  const Duration before = thread_cpu_time();
  auto bytes = helper_.joinable() ? next_helped() : next_alone();
  own_cpu_ += thread_cpu_time() - before;
  if (bytes) taken_bytes_ += bytes->size();
  return bytes;
}

Result<std::span<const std::byte>> LayerStream::next_alone() {
  if (!failure_) return fail(failure_.error());
  if (ended_) return std::span<const std::byte>();
  // Alone, one piece does: it is used up before the next is inflated over it.
  Piece& only = ring_.front();
  auto size = fill(only);
  if (!size) {
    ended_ = true;
    failure_ = fail(size.error());
    return fail(size.error());
  }
  ended_ = *size == 0;
  const std::span<const std::byte> bytes(only.bytes.get(), *size);
  sha_.update(bytes);
  return bytes;
}

Result<std::span<const std::byte>> LayerStream::next_helped() {
  std::unique_lock lock(mutex_);
  if (released_ != taken_) {
    released_ = taken_;
    changed_.notify_all();
  }
  while (taken_ == filled_ && !ended_) {
    if (!hash_one(lock)) wait(lock);
  }
  if (taken_ == filled_) {  // What was inflated before a failure is still used: the failure may lie behind the end.
    if (!failure_) return fail(failure_.error());
    return std::span<const std::byte>();
  }
  const Piece& next = piece(taken_++);
  return std::span<const std::byte>(next.bytes.get(), next.size);
}

void LayerStream::start_helper() {
  try {
    helper_ = std::thread([this] {
      ::pthread_setname_np(::pthread_self(), "pl-inflate");
      help();
      turn_.leave();
    });
  } catch (const std::system_error&) {  // No more threads: it goes on alone.
    turn_.leave();
  }
}

void LayerStream::wait(std::unique_lock<std::mutex>& lock) {
  turn_.leave();
  changed_.wait(lock);
  lock.unlock();  // To get in may take long, and the other thread must go on.
  turn_.enter();
  lock.lock();
}

void LayerStream::help() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (filled_ - std::min(hashed_, released_) == ring_.size()) {
      if (!hash_one(lock)) wait(lock);
      continue;
    }
    Piece& free = piece(filled_);
    lock.unlock();
    auto size = fill(free);
    lock.lock();
    if (size && *size > 0) {
      ++filled_;
    } else {
      ended_ = true;
      helper_cpu_ = thread_cpu_time();
      if (!size) failure_ = fail(size.error());
    }
    changed_.notify_all();
    if (ended_) return;
  }
}

bool LayerStream::hash_one(std::unique_lock<std::mutex>& lock) {
  if (hashing_ || hashed_ == filled_) return false;
  hashing_ = true;
  const Piece& due = piece(hashed_);
  lock.unlock();
  sha_.update(std::span<const std::byte>(due.bytes.get(), due.size));
  lock.lock();
  hashing_ = false;
  ++hashed_;
  changed_.notify_all();
  return true;
}

Result<Digest> LayerStream::finish() {
  for (;;) {
    auto bytes = next();
    if (!bytes) return fail(bytes.error());
    if (bytes->empty()) break;
  }
  if (helper_.joinable()) {
    const Duration before = thread_cpu_time();
    std::unique_lock lock(mutex_);
    while (hashed_ != filled_) {
      if (!hash_one(lock)) wait(lock);
    }
    own_cpu_ += thread_cpu_time() - before;
  }
  return sha_.digest();
}

}  // namespace paceline::unpack
