#include "plugin/store/background.h"

#include "plugin/base/files.h"
#include "plugin/base/log.h"

namespace paceline::store {

void Background::sync_folder(const std::filesystem::path& folder) {
  once(folder.string(), [folder] {
    if (auto status = sync_directory(folder); !status) spdlog::warn("{}", status.error().message);
  });
}

void Background::once(const std::string& kind, std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (!waiting_.insert(kind).second) return;
  }
  pool_.post([this, kind, task = std::move(task)] {
    {
      const std::lock_guard lock(mutex_);
      waiting_.erase(kind);  // Before the work: a rename from now on needs another round.
    }
    task();
  });
}

}  // namespace paceline::store
