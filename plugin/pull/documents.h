// Manifests and indexes in the store. Any thread; reads and writes the disk.
#pragma once

#include <optional>

#include "plugin/oci/manifest.h"
#include "plugin/registry/repository.h"
#include "plugin/store/store.h"

namespace paceline::pull {

/// Stores it, so that containerd finds it there. A full disk is no reason to fail the caller: it is logged.
Status keep_document(store::Store& store, const registry::Document& document, store::Purpose purpose);

/// Empty when it is not there, is damaged, or is no manifest.
std::optional<oci::Manifest> stored_manifest(store::Store& store, const Digest& digest);

}  // namespace paceline::pull
