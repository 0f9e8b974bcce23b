// What the store is made of, owned by Store and borrowed by the ingests and downloads that are open (which therefore
// must not outlive it). The order of the members is the order in which they may use each other, but for `background`,
// which everybody posts to and which ends first.
#pragma once

#include "plugin/base/fd.h"
#include "plugin/store/background.h"
#include "plugin/store/blob_files.h"
#include "plugin/store/blob_table.h"
#include "plugin/store/descriptor_cache.h"
#include "plugin/store/evictions.h"
#include "plugin/store/ingest_table.h"
#include "plugin/store/label_files.h"
#include "plugin/store/layout.h"
#include "plugin/store/partial_table.h"
#include "plugin/store/pin_files.h"
#include "plugin/store/space.h"
#include "plugin/store/store.h"

namespace paceline::store {

struct Parts {
  Parts(const StoreOptions& store_options, const Clock& store_clock);

  const StoreOptions options;
  const Clock& clock;
  const Layout layout;
  UniqueFd lock;
  BlobTable table;
  DescriptorCache cache;
  LabelFiles labels;
  PinFiles pins;
  PartialTable partials;
  IngestTable ingests;
  BlobFiles files;
  Evictions evictions;
  Space space;
  Background background;
};

/// Makes the folders, takes the lock, reads what is on disk and clears away what no one can resume.
Status open_parts(Parts& parts);

Result<std::unique_ptr<FetchFile>> begin_fetch(Parts& parts, const Digest& digest, std::uint64_t size, Purpose purpose);
Status put_hidden(Parts& parts, const Digest& digest, std::string_view bytes, Purpose purpose);
Status hand_over(Parts& parts, const Digest& digest, const std::string& ref, std::uint64_t total);
/// Deletes a download that nobody has open; false when there is none.
bool drop_partial(Parts& parts, const Digest& digest);

Result<std::unique_ptr<Ingest>> open_ingest(Parts& parts, const std::string& ref, std::uint64_t total,
                                            std::optional<Digest> expected);
Status abort_ingest(Parts& parts, const std::string& ref);

void verify(Parts& parts, const std::vector<Digest>& only, const std::function<bool(const VerifyResult&)>& report);

}  // namespace paceline::store
