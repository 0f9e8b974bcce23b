#include "plugin/content/read_stream.h"

#include <fmt/format.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "plugin/base/files.h"
#include "plugin/content/messages.h"

namespace paceline::content {
namespace {

constexpr std::size_t kMessageBytes =
    1U << 20U;  // gRPC clients accept 4 MiB by default; more gains nothing (measured).

// Wire format of ReadContentResponse: field 1 (offset) a varint, field 2 (data) length-delimited.
constexpr std::uint8_t kOffsetTag = 1U << 3U;
constexpr std::uint8_t kDataTag = 2U << 3U | 2U;

class Header {
 public:
  Header(std::uint64_t offset, std::size_t length) {
    if (offset > 0) {  // proto3 leaves zeros out.
      byte(kOffsetTag);
      varint(offset);
    }
    byte(kDataTag);
    varint(length);
  }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {bytes_.data(), size_}; }

 private:
  void byte(std::uint8_t value) { bytes_[size_++] = value; }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) byte(static_cast<std::uint8_t>(value | 0x80U));
    byte(static_cast<std::uint8_t>(value));
  }
  std::array<std::uint8_t, 22> bytes_{};  // Two tags and two varints of at most 10 bytes.
  std::size_t size_ = 0;
};

}  // namespace

ReadStream* ReadStream::start(store::Store& store, WorkerPool& pool, const grpc::ByteBuffer& request, const Hold& hold,
                              const ReadTimed& timed) {
  const std::shared_ptr<ReadStream> stream(new ReadStream(pool, timed));
  stream->self_ = stream;
  stream->begin(store, request, hold);
  return stream.get();
}

void ReadStream::begin(store::Store& store, const grpc::ByteBuffer& request, const Hold& hold) {
  grpc::ByteBuffer wire(request);
  api::ReadContentRequest message;
  if (const auto parsed = grpc::SerializationTraits<api::ReadContentRequest>::Deserialize(&wire, &message);
      !parsed.ok()) {
    return finish({grpc::StatusCode::INVALID_ARGUMENT, "malformed Read request"});
  }
  const auto digest = Digest::parse(message.digest());
  if (!digest) return finish(to_grpc(digest.error()));
  if (!hold || !hold(*digest, [self = shared_from_this(), &store, digest = *digest, message] {
        self->open_or_finish(store, digest, message);
      })) {
    open_or_finish(store, *digest, message);
  }
}

void ReadStream::open_or_finish(store::Store& store, const Digest& digest, const api::ReadContentRequest& request) {
  if (const auto opened = open(store, digest, request); !opened) {
    finish(to_grpc(opened.error()));
  } else if (position_ == end_) {
    finish(grpc::Status::OK);
  } else {
    next();
  }
}

Status ReadStream::open(store::Store& store, const Digest& digest, const api::ReadContentRequest& request) {
  auto blob = store.open_blob(digest);
  if (!blob) return fail(std::move(blob.error()));
  blob_ = std::move(*blob);

  // As containerd's own service: a negative offset is 0; a size of 0, or past the end, is all there is.
  position_ = static_cast<std::uint64_t>(std::max<std::int64_t>(request.offset(), 0));
  if (position_ > blob_->size) {
    return fail(Code::kOutOfRange,
                fmt::format("read at {}: {} has {} bytes", position_, request.digest(), blob_->size));
  }
  const auto rest = blob_->size - position_;
  const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(request.size(), 0));
  end_ = position_ + (size == 0 ? rest : std::min(size, rest));
  return {};
}

/// Makes the next message from the page cache, or sends for it.
void ReadStream::next() {
  length_ = std::min<std::uint64_t>(end_ - position_, kMessageBytes);
  const Header header(sent_, length_);
  header_ = header.bytes().size();
  slice_ = grpc_slice_malloc(header_ + length_);
  std::ranges::copy(header.bytes(), GRPC_SLICE_START_PTR(slice_));
  filled_ = 0;

  const iovec target{GRPC_SLICE_START_PTR(slice_) + header_, length_};
  const auto got = ::preadv2(blob_->fd.get(), &target, 1, static_cast<off_t>(position_), RWF_NOWAIT);
  if (got > 0) filled_ = static_cast<std::size_t>(got);
  if (filled_ == length_) {
    send();
  } else {
    pool_.post([self = shared_from_this()] { self->read_rest(); });
  }
}

void ReadStream::read_rest() {
  const std::span data(reinterpret_cast<std::byte*>(GRPC_SLICE_START_PTR(slice_)) + header_, length_);
  const auto got = read_at(blob_->fd.get(), data.subspan(filled_), position_ + filled_);
  if (got && filled_ + *got == length_) {
    filled_ = length_;
    send();
    return;
  }
  grpc_slice_unref(std::exchange(slice_, grpc_empty_slice()));
  finish(got ? grpc::Status(grpc::StatusCode::DATA_LOSS, "the blob's file is shorter than it was")
             : to_grpc(got.error()));
}

void ReadStream::send() {
  const grpc::Slice slice(std::exchange(slice_, grpc_empty_slice()), grpc::Slice::STEAL_REF);
  message_ = grpc::ByteBuffer(&slice, 1);
  position_ += length_;
  sent_ += length_;
  const bool last = position_ == end_;

  const std::lock_guard lock(mutex_);
  if (cancelled_) {
    state_ = State::kFinished;
    Finish(grpc::Status::CANCELLED);
  } else if (last) {
    state_ = State::kFinished;
    StartWriteAndFinish(&message_, {}, grpc::Status::OK);
  } else {
    state_ = State::kWriting;
    StartWrite(&message_);
  }
}

void ReadStream::finish(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kFinished) return;
  state_ = State::kFinished;
  Finish(status);
}

void ReadStream::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kWriting) return;
    state_ = State::kReading;
  }
  if (ok) {
    next();
  } else {
    finish(grpc::Status::CANCELLED);
  }
}

void ReadStream::OnDone() {
  if (timed_) timed_(std::chrono::steady_clock::now() - begun_);
  const auto last = std::move(self_);
}

void ReadStream::OnCancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  // While a write hangs on a client that is gone, its OnWriteDone may be long in coming: it is not waited for.
  if (state_ != State::kWriting) return;
  state_ = State::kFinished;
  Finish(grpc::Status::CANCELLED);
}

}  // namespace paceline::content
