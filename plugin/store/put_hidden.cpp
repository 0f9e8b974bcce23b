#include <fcntl.h>

#include <cerrno>

#include "plugin/base/files.h"
#include "plugin/store/ingest_files.h"
#include "plugin/store/parts.h"

namespace paceline::store {

Status put_hidden(Parts& parts, const Digest& digest, std::string_view bytes, Purpose purpose) {
  const std::string name = "blob " + digest.to_string();
  if (const Digest actual = sha256(bytes); actual != digest) {
    return fail(Code::kFailedPrecondition, name + ": the bytes have digest " + actual.to_string());
  }
  if (parts.table.find(digest)) return {};
  if (auto room = parts.space.reserve(bytes.size(), bytes.size(), purpose); !room) return room;

  const auto path = temporary_path(parts.layout);
  const auto store = [&]() -> Status {
    auto fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL);
    if (!fd) return fail(fd.error());
    if (auto written = write_at(fd->get(), std::as_bytes(std::span(bytes)), 0); !written) return written;
    if (::fdatasync(fd->get()) != 0) return fail(errno_error(errno, "sync"));
    const WallTime kept = purpose == Purpose::kForeground ? parts.clock.wall() + std::chrono::minutes(10) : WallTime{};
    return parts.files.land_hidden(path, fd->get(), digest, bytes.size(), kept);
  };
  auto done = store();
  parts.space.settle(bytes.size());
  parts.space.drop_partial(bytes.size());
  if (!done) {
    ::unlink(path.c_str());
    return fail(done.error().context(name));
  }
  return {};
}

}  // namespace paceline::store
