#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/store/hash_file.h"
#include "plugin/store/parts.h"

namespace paceline::store {
namespace {

// Only with what is left of disk and processor: pulls and containers come first.
void step_back() {
  constexpr int kWhoThread = 1;        // IOPRIO_WHO_PROCESS, of which 0 is the calling thread.
  constexpr int kIdleClass = 3 << 13;  // IOPRIO_CLASS_IDLE; glibc has no header for it.
  (void)::syscall(SYS_ioprio_set, kWhoThread, 0, kIdleClass);
  (void)::setpriority(PRIO_PROCESS, 0, 19);  // Linux: of the calling thread.
}

Status check_bytes(Parts& parts, const BlobInfo& info) {
  // Not from the descriptor cache: opened anew, it is the file that the next reader will get.
  const bool listed = info.visibility == Visibility::kListed;
  auto fd = open_file(listed ? parts.layout.listed_blob(info.digest) : parts.layout.hidden_blob(info.digest),
                      O_RDONLY | O_NOFOLLOW);
  if (!fd) return fail(fd.error());
  struct stat about {};
  if (::fstat(fd->get(), &about) != 0) return fail(errno_error(errno, "stat"));
  if (static_cast<std::uint64_t>(about.st_size) != info.size) {
    return fail(Code::kDataLoss,
                "it has " + std::to_string(about.st_size) + " bytes instead of " + std::to_string(info.size));
  }
  Sha256 hash;
  if (auto done = hash_file(fd->get(), 0, info.size, hash); !done) return fail(Code::kDataLoss, done.error().message);
  if (const Digest actual = hash.digest(); actual != info.digest) {
    return fail(Code::kDataLoss, "its bytes have digest " + actual.to_string());
  }
  return {};
}

Status verify_one(Parts& parts, const Digest& digest, std::uint64_t& size) {
  // Again when the blob was adopted or removed while we looked for its file.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto entry = parts.table.find(digest);
    if (!entry) break;
    size = entry->info.size;
    auto status = check_bytes(parts, entry->info);
    if (status) return {};
    const std::string name = "blob " + digest.to_string() + ": ";
    if (status.error().code == Code::kNotFound) {
      if (attempt < 2) continue;
      return fail(Code::kDataLoss, name + "its file is gone; pull its image again");
    }
    if (status.error().code != Code::kDataLoss) return fail(status.error().context(name));
    const bool dropped = parts.files.drop_damaged(digest);
    spdlog::error("{}{}", name, status.error().message);
    return fail(Code::kDataLoss,
                name + status.error().message +
                    (dropped ? "; it was hidden and is removed, the next pull fetches it again"
                             : "; it is containerd's: remove the images that use it, then pull them again"));
  }
  return fail(Code::kNotFound, "blob " + digest.to_string() + " is not there");
}

}  // namespace

void verify(Parts& parts, const std::vector<Digest>& only, const std::function<bool(const VerifyResult&)>& report) {
  std::vector<Digest> digests = only;
  const bool all = only.empty();
  if (all) {
    for (const auto& info : parts.table.list(std::nullopt)) digests.push_back(info.digest);
  }
  // A thread of its own, because a lowered priority cannot be raised again without privilege.
  std::thread worker([&] {
    step_back();
    for (const auto& digest : digests) {
      VerifyResult result{digest, 0, {}};
      result.status = verify_one(parts, digest, result.size);
      if (all && !result.status && result.status.error().code == Code::kNotFound) continue;  // Removed meanwhile.
      if (!report(result)) return;
    }
  });
  worker.join();
}

}  // namespace paceline::store
