// The files of one ingest, exactly as containerd's built-in store has them, so that either can resume the other's:
// ref, startedat, updatedat, total (only when known) and data. Its folder appears in one rename, complete. Any thread.
#pragma once

#include <filesystem>
#include <optional>

#include "plugin/store/ingest.h"
#include "plugin/store/layout.h"

namespace paceline::store {

/// Makes the folder of a new ingest, in place of whatever lies there. Without data the ingest does not exist yet: a
/// folder found like that at start is cleared away.
Status create_ingest(const Layout& layout, const IngestStatus& status, bool with_data);
/// Empty when the folder holds nothing that can be resumed. Removes temporary files in it.
std::optional<IngestStatus> load_ingest(const std::filesystem::path& folder);
Status write_total(const std::filesystem::path& folder, std::uint64_t total);
Status write_updated(const std::filesystem::path& folder, WallTime updated);
/// Deletes a folder and what is in it.
Status remove_folder(const std::filesystem::path& folder);
/// A fresh name in the folder for temporary files.
std::filesystem::path temporary_path(const Layout& layout);

}  // namespace paceline::store
