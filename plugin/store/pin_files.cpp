#include "plugin/store/pin_files.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "plugin/base/files.h"
#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/store/blob_table.h"

namespace paceline::store {
namespace {

constexpr std::size_t kMaxName = 1024;
constexpr std::size_t kMaxDigests = 10'000;
constexpr std::size_t kMaxFile = 1U << 20U;

struct Pin {
  std::string name;
  std::vector<Digest> digests;
};

// The name on the first line, then a digest a line.
std::optional<Pin> read_pin(const std::filesystem::path& path) {
  const auto text = read_file(path, kMaxFile);
  if (!text || text->empty() || text->back() != '\n') return std::nullopt;
  const auto lines = split(std::string_view(*text).substr(0, text->size() - 1), '\n');
  Pin pin{std::string(lines[0]), {}};
  if (path.filename() != sha256(pin.name).hex()) return std::nullopt;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto digest = Digest::parse(lines[i]);
    if (!digest) return std::nullopt;
    pin.digests.push_back(*digest);
  }
  return pin;
}

}  // namespace

void PinFiles::load() {
  std::error_code error;
  for (const auto& item : std::filesystem::directory_iterator(folder_, error)) {
    const std::string file = item.path().filename().string();
    if (!Digest::from_hex(file)) {
      ::unlink(item.path().c_str());  // A temporary file that a crash left.
      continue;
    }
    auto pin = read_pin(item.path());
    if (!pin) {
      spdlog::warn("pin file {} cannot be read; pin the image again and delete the file", item.path().string());
      continue;
    }
    table_.pin(pin->digests);
    const std::lock_guard lock(mutex_);
    pins_[pin->name] = std::move(pin->digests);
  }
}

Status PinFiles::set(const std::string& name, const std::vector<Digest>& digests) {
  const bool printable = std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (name.empty() || name.size() > kMaxName || !printable) {
    return fail(Code::kInvalidArgument, "pin name: expected 1 to " + std::to_string(kMaxName) + " printable bytes");
  }
  if (digests.size() > kMaxDigests) {
    return fail(Code::kInvalidArgument, "pin '" + name + "' names " + std::to_string(digests.size()) +
                                            " blobs, at most " + std::to_string(kMaxDigests) + " are allowed");
  }
  std::string text = name + "\n";
  for (const auto& digest : digests) text += digest.to_string() + "\n";

  const std::lock_guard turn(writing_);
  if (auto status = write_file_atomically(folder_ / sha256(name).hex(), text, Durability::kPowerLoss); !status) {
    return fail(status.error().context("pin '" + name + "'"));
  }
  table_.pin(digests);  // Before the old set goes: what is in both stays pinned throughout.
  std::vector<Digest> old;
  {
    const std::lock_guard lock(mutex_);
    old = std::exchange(pins_[name], digests);
  }
  table_.unpin(old);
  return {};
}

Status PinFiles::remove(const std::string& name) {
  const std::lock_guard turn(writing_);
  std::vector<Digest> old;
  {
    const std::lock_guard lock(mutex_);
    const auto found = pins_.find(name);
    if (found == pins_.end()) return fail(Code::kNotFound, "there is no pin '" + name + "'");
    old = found->second;
  }
  const auto path = folder_ / sha256(name).hex();
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(errno_error(errno, "unpin '" + name + "'"));
  {
    const std::lock_guard lock(mutex_);
    pins_.erase(name);
  }
  table_.unpin(old);
  return {};
}

std::map<std::string, std::vector<Digest>> PinFiles::all() const {
  const std::lock_guard lock(mutex_);
  return pins_;
}

}  // namespace paceline::store
