#include "plugin/store/label_files.h"

#include <unistd.h>

#include <charconv>
#include <optional>

#include "plugin/base/files.h"
#include "plugin/base/log.h"

namespace paceline::store {
namespace {

// containerd's labels.Validate.
constexpr std::size_t kMaxLabel = 4096;
// containerd sets no bound on their number; a message does, at its 16 MiB. Ours keeps the daemon's memory small.
constexpr std::size_t kMaxAll = 1U << 20U;
constexpr std::size_t kMaxFile = 4 * kMaxAll;

// "<key length> <value length>\n<key><value>\n" a label: any byte may occur in both.
std::string encode(const Labels& labels) {
  std::string out;
  for (const auto& [key, value] : labels) {
    out += std::to_string(key.size()) + " " + std::to_string(value.size()) + "\n" + key + value + "\n";
  }
  return out;
}

std::optional<std::size_t> take_number(std::string_view& text, char terminator) {
  std::size_t number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec != std::errc() || result.ptr == text.data() + text.size() || *result.ptr != terminator) return {};
  text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()) + 1);
  return number;
}

std::optional<Labels> decode(std::string_view text) {
  Labels labels;
  while (!text.empty()) {
    const auto key = take_number(text, ' ');
    const auto value = key ? take_number(text, '\n') : std::nullopt;
    if (!value || *key > kMaxLabel || *value > kMaxLabel || text.size() < *key + *value + 1) return std::nullopt;
    labels.emplace(text.substr(0, *key), text.substr(*key, *value));
    text.remove_prefix(*key + *value + 1);
  }
  return labels;
}

}  // namespace

Status check_labels(const Labels& labels) {
  std::size_t all = 0;
  for (const auto& [key, value] : labels) {
    if (key.size() + value.size() > kMaxLabel) {
      return fail(Code::kInvalidArgument, "label '" + key.substr(0, 10) + "…': key and value have " +
                                              std::to_string(key.size() + value.size()) + " bytes, at most " +
                                              std::to_string(kMaxLabel) + " are allowed");
    }
    all += key.size() + value.size();
  }
  if (all > kMaxAll) {
    return fail(Code::kInvalidArgument, "labels of one blob have " + std::to_string(all) + " bytes, at most " +
                                            std::to_string(kMaxAll) + " are kept");
  }
  return {};
}

void LabelFiles::load(const std::function<bool(const Digest&)>& wanted) {
  std::error_code error;
  for (const auto& item : std::filesystem::directory_iterator(folder_, error)) {
    const auto digest = Digest::from_hex(item.path().filename().string());
    if (!digest || !wanted(*digest)) {
      ::unlink(item.path().c_str());  // A leftover of a crash: a temporary file, or a blob that never came or is gone.
      continue;
    }
    const auto text = read_file(item.path(), kMaxFile);
    auto labels = text ? decode(*text) : std::nullopt;
    if (!labels) {
      spdlog::warn("labels of {} cannot be read; they are dropped", digest->to_string());
      ::unlink(item.path().c_str());
      continue;
    }
    const std::lock_guard lock(mutex_);
    labels_[*digest] = std::move(*labels);
  }
}

Labels LabelFiles::get(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  const auto found = labels_.find(digest);
  return found == labels_.end() ? Labels{} : found->second;
}

Status LabelFiles::set(const Digest& digest, const Labels& labels) {
  if (labels.empty()) {
    {
      const std::lock_guard lock(mutex_);
      if (labels_.erase(digest) == 0) return {};
    }
    ::unlink((folder_ / digest.hex()).c_str());
    return {};
  }
  if (auto status = write_file_atomically(folder_ / digest.hex(), encode(labels), Durability::kProcessCrash); !status) {
    return status;
  }
  const std::lock_guard lock(mutex_);
  labels_[digest] = labels;
  return {};
}

}  // namespace paceline::store
