#include "plugin/pull/mirror_pulls.h"

#include "plugin/base/log.h"
#include "plugin/pull/documents.h"

namespace paceline::pull {
namespace {

// containerd asks for a manifest by HEAD, then by GET, by tag and by digest: all within one pull.
constexpr Duration kSamePull = std::chrono::seconds(30);

oci::Reference reference(const registry::Repository& repository, const std::string& object) {
  oci::Reference image{
      .registry = repository.registry(), .repository = repository.repository(), .tag = {}, .digest = {}};
  if (auto digest = Digest::parse(object)) {
    image.digest = *digest;
  } else {
    image.tag = object;
  }
  return image;
}

}  // namespace

tl::expected<registry::Document, registry::Refusal> MirrorPulls::document(const RepositoryPtr& repository,
                                                                          const std::string& object) {
  Arrival arrival{services_.clock.now(), Duration{0}};
  const std::string name = repository->registry() + "/" + repository->repository();
  parts_.runner.engine().warm(repository->registry());
  auto document = repository->document(object);
  if (!document) {
    if (document.error().status == 401) challenged_.refused(name, arrival.began, services_.clock.now());
    return document;
  }
  if (const auto wait = challenged_.returned(name, arrival.began)) {
    arrival = {wait->began, arrival.began - wait->answered};
  }
  follow(repository, object, *document, arrival);
  return document;
}

void MirrorPulls::asked_again(const RepositoryPtr& repository, const std::string& object,
                              const registry::Document& document) {
  follow(repository, object, document, {services_.clock.now(), Duration{0}});
}

void MirrorPulls::follow(const RepositoryPtr& repository, const std::string& object, const registry::Document& document,
                         const Arrival& arrival) {
  const auto parsed = oci::parse_document(document.bytes, document.media_type);
  if (!parsed) {  // An artefact of another kind: containerd knows what it wants with it.
    spdlog::debug("{}/{}@{}: {}; passed on as it is", repository->registry(), repository->repository(),
                  document.digest.to_string(), parsed.error().message);
    return;
  }
  (void)keep_document(services_.store, document, store::Purpose::kForeground);
  const auto image = reference(*repository, object);
  if (const auto* index = std::get_if<oci::Index>(&*parsed)) {
    follow_index(repository, image, *index, document.digest, arrival);
  } else {
    follow_manifest(repository, image, document.digest, std::get<oci::Manifest>(*parsed), arrival);
  }
}

/// The manifest for this machine will be asked for next. Its flight takes off before the index is answered, and lands
/// only when the flights of its layers are up.
void MirrorPulls::follow_index(const RepositoryPtr& repository, const oci::Reference& image, const oci::Index& index,
                               const Digest& index_digest, const Arrival& arrival) {
  const auto child = oci::choose_platform(index, oci::Platform::host());
  if (!child) {
    spdlog::debug("{}: {}", image.to_string(), child.error().message);
    return;
  }
  if (join_running(repository, child->digest)) {
    // A caller that has the manifest will not ask for it.
    if (const auto manifest = stored_manifest(services_.store, child->digest)) {
      parts_.runner.tell_listener(child->digest, *manifest);
    }
    return;
  }
  if (services_.store.find(child->digest)) {
    const Record record = add(repository, image, index_digest, arrival);
    if (!parts_.runner.begin_from_store(record, repository, child->digest)) {
      parts_.runner.end(record, {}, Error{Code::kDataLoss, "unreadable manifest"});
    }
    return;
  }
  if (!services_.flights.take_off(child->digest, child->size)) return;  // Another caller's request is bringing it.
  const Record record = add(repository, image, index_digest, arrival);
  parts_.workers.post(
      [this, repository, record, digest = child->digest] { fetch_manifest(repository, record, digest); });
}

void MirrorPulls::fetch_manifest(const RepositoryPtr& repository, const Record& record, const Digest& digest) {
  record->resolving();
  auto document = repository->document(digest.to_string());
  Result<std::variant<oci::Index, oci::Manifest>> parsed =
      document ? oci::parse_document(document->bytes, document->media_type)
               : Result<std::variant<oci::Index, oci::Manifest>>(fail(document.error().error));
  Status kept =
      parsed ? keep_document(services_.store, *document, store::Purpose::kForeground) : Status(fail(parsed.error()));
  if (parsed && std::holds_alternative<oci::Manifest>(*parsed)) {
    parts_.runner.begin(record, repository, digest, std::get<oci::Manifest>(*parsed));
  } else {
    parts_.runner.end(record, {}, parsed ? Error{Code::kInvalidArgument, "an index inside an index"} : parsed.error());
  }
  services_.flights.land(digest, kept);
}

void MirrorPulls::follow_manifest(const RepositoryPtr& repository, const oci::Reference& image, const Digest& digest,
                                  const oci::Manifest& manifest, const Arrival& arrival) {
  if (join_running(repository, digest)) return parts_.runner.tell_listener(digest, manifest);
  parts_.runner.begin(add(repository, image, std::nullopt, arrival), repository, digest, manifest);
}

MirrorPulls::Record MirrorPulls::add(const RepositoryPtr& repository, const oci::Reference& image,
                                     std::optional<Digest> index, const Arrival& arrival) {
  const auto arm = parts_.arms.next(image.registry);
  Record record = parts_.records.add({.image = image,
                                      .platform = std::nullopt,
                                      .source = Source::kMirror,
                                      .foreground = true,
                                      .pin = false,
                                      .access = repository->access(),
                                      .policy = arm ? arm->name() : parts_.settings.policy(image.registry),
                                      .arm = arm,
                                      .began = arrival.began,
                                      .token = arrival.token});
  record->documented(Duration{0});
  if (index) record->also_pin(*index);
  return record;
}

/// One plan per manifest: a caller that asks for one that is being pulled joins that pull. Also true when such a pull
/// has just ended and everything is here. false: it needs a plan anew, which shares the flights of those under way.
bool MirrorPulls::join_running(const RepositoryPtr& repository, const Digest& manifest) {
  for (const Record& record : parts_.records.all()) {
    if (record->manifest() != manifest) continue;
    if (!record->over()) {
      if (parts_.runner.join(record, repository)) return true;
      continue;
    }
    const bool recent = !record->ended_before(services_.clock.now() - kSamePull);
    // A prefetch that has just ended is another pull than the one that profits by it, and has its own record.
    if (record->source != Source::kPrefetch && recent && parts_.runner.is_here(*record)) return true;
  }
  return false;
}

}  // namespace paceline::pull
