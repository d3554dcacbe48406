# The decisions of the plugin, as functions of one "situation":
#   {app, records: [record], present: [image id], held: [image id], pinned: [number],
#    live_image, latest_image, pending, now: {scale, domains, …}}
# records stand in ascending order of their numbers. Nothing in here reads or changes the host.

# The release whose code a release runs: a rollback runs the code of the one it went to.
def origin($n): . as $s
  | ([$s.records[] | select(.number == $n)] | first) as $r
  | if $r == null then $n
    elif $r.rollback != null and $r.rollback.to != null and $r.rollback.to < $n then ($s | origin($r.rollback.to))
    else $n end;

# What a rollback left is not gone back to, until somebody asks for it by its number.
def condemned: . as $s
  | reduce ($s.records[] | select(.rollback != null and .rollback.from != null)) as $r ([];
      ($s | origin($r.rollback.to)) as $to | ($s | origin($r.rollback.from)) as $from
      | if $to < $from then (. + [$r.rollback.from, $from]) - [$r.rollback.to, $to]
        else . - [$r.rollback.to, $to] end)
  | unique;

# The number of the release that is live; null where the live image was never recorded.
def live: . as $s
  | ($s.records | last) as $newest
  | if $newest == null then null
    elif $s.live_image == null or $newest.image_id == $s.live_image then $newest.number
    else null end;

def previous: . as $s
  | ($s | condemned) as $left
  | ($s | live) as $live
  | (if $live == null then null else ($s | origin($live)) end) as $below
  | [$s.records[].number | select(($below == null or . < $below) and ([.] | inside($left) | not))] | last;

def record($n): [.records[] | select(.number == $n)] | first;

# The newest release that ran this code. A new configuration can make a new image of it, but no other revision.
def of_code($image; $sha): [.records[] | select(.image_id == $image or ($sha != "" and .git_sha == $sha))] | last;

def available: . as $s | [$s.records[] | select(.image_id as $i | $s.present | index($i)) | .number];

# The nearest release that can still be had, without the one that is live; of two, the older.
def nearest($n): . as $s
  | ($s | live) as $live
  | [$s | available[] | select(. != $live)]
  | sort_by([(. - $n | if . < 0 then -. else . end), .]) | first;

# Which images stay held: those of the newest releases, of pinned ones, and what is live.
def kept_images($keep): . as $s
  | (reduce ($s.records | reverse[] | .image_id) as $i ([]; if index($i) then . else . + [$i] end) | .[:$keep])
    + [$s.records[] | select(.number as $n | $s.pinned | index($n)) | .image_id]
    + [$s.live_image | select(. != null)]
  | unique;

# Which records are dropped: all but the newest, the pinned, and what is live.
def dropped_records($keep): . as $s
  | ($s | live) as $live
  | [$s.records[].number] | .[: ([length - $keep, 0] | max)]
  | map(select((. as $n | $s.pinned | index($n) | not) and . != $live));

def state($n): . as $s
  | ($s | record($n)) as $r
  | if $n == ($s | live) then "live"
    elif ($s.present | index($r.image_id)) == null then "gone"
    elif ($s.pinned | index($n)) != null then "pinned"
    elif ($s.held | index($r.image_id)) != null then "held"
    else "unheld" end;

# A value that an option hands to a container or a build is as secret as the configuration.
def masked_options:
  if type == "string" then gsub("(?<o>(?:^|\\s)(?:-e|--env|--build-arg|--secret)(?:=|\\s+)['\"]?[A-Za-z_][A-Za-z0-9_]*=)(?:'[^']*'|\"[^\"]*\"|[^\\s]+)"; "\(.o)***")
  elif type == "array" then map(masked_options)
  elif type == "object" then map_values(masked_options)
  else . end;

# What may be shown of a release: the names of its configuration, never a value.
def shown($n): . as $s
  | ($s | record($n))
  | . + {state: ($s | state($n)), left_by_rollback: ([$n] | inside($s | condemned)),
         config_keys: (if .config == null then null else (.config | keys) end),
         files: ((.files // {}) | keys), docker_options: ((.docker_options // {}) | masked_options)}
  | del(.config);

def listed: . as $s
  | [$s.records | reverse[] | .number as $n
     | {number, state: ($s | state($n)), left_by_rollback: ([$n] | inside($s | condemned)), recorded_at, by, source,
        revision: .git_sha, source_image, image_id, rollback_to: (.rollback.to // null),
        git_rev: (.git_rev // (.config // {}).GIT_REV // "" | tostring | if test("^[0-9a-f]{40}$") then . else "" end)}];

def text: if . == null or . == "" then "-" else tostring end;

def scale_text: to_entries | map("\(.key)=\(.value)") | join(" ");

def report_text($keys): . as $o | [$keys[] | "\(.)=\($o[.] // "" | if type == "string" then . else tojson end)"] | join(" ");

# What a rollback leaves as it is, though the release was recorded with something else.
def drift($n): . as $s
  | ($s | record($n)) as $r
  | def differs($name; f): if $r[$name] == null or $s.now[$name] == null or $r[$name] == $s.now[$name] then empty
      else {what: $name, now: ($s.now[$name] | f), recorded: ($r[$name] | f)} end;
    # A report says most things several times: as they are set, as they apply, with its own name before them, as a list.
    def said_again($name): startswith("computed-") or endswith("-list") or startswith("\($name | gsub("_"; "-"))-");
    def report_differs($name): $r[$name] as $before | $s.now[$name] as $now
      | if $before == null or $now == null or $before == $now then empty
        else ([$before + $now | keys[] | select($before[.] != $now[.])] | (map(select(said_again($name) | not)) | select(. != [])) // .) as $keys
          | {what: $name, now: ($now | masked_options | report_text($keys)), recorded: ($before | masked_options | report_text($keys))}
        end;
    [differs("scale"; scale_text), differs("domains"; join(" ")), differs("ports"; join(" ")),
     report_differs("docker_options"), report_differs("resource"), report_differs("checks")];

# The names whose value a rollback changes.
def config_difference($n): . as $s
  | (($s | record($n)).config // {}) as $recorded | ($s.now.config // {}) as $now
  | {back: ($recorded | keys - ($now | keys)), dropped: ($now | keys - ($recorded | keys)),
     changed: [$recorded | keys[] | select(. as $k | ($now | has($k)) and $now[$k] != $recorded[$k])]};

# The names of the variables that lead to a service the app is linked to now. They are of the host and not of a release:
# a service that was made or linked since would be lost, and one that was made anew has another password.
def service_addresses: . as $s
  | [($s.now.docker_options.deploy // "") | strings | scan("--link dokku\\.[^ :]+:(dokku-[A-Za-z0-9-]+)")[0]] as $hosts
  | [($s.now.config // {}) | to_entries[]
     | select((.value as $v | any($hosts[]; . as $h | $v | test("://[^/ ]*@" + $h + "([:/?]|$)")))
              # By this one the plugin of the service knows its address again.
              or ($hosts != [] and (.key | endswith("_DATABASE_SCHEME")))) | .key];

# The configuration of a release, with the present value of those names that are to stay.
def restored_config($n; $keep): . as $s
  | ($s.now.config // {}) as $now
  | reduce $keep[] as $k (($s | record($n)).config; if $now | has($k) then .[$k] = $now[$k] else del(.[$k]) end);

# A restart that changed neither code nor configuration is no release.
def unchanged($new): (.records | last) as $newest
  | $newest != null and $newest.image_id == $new.image_id and $newest.config == $new.config;

# The state as one flat object of strings, as the reports of Dokku's own plugins. beside: what the engine says.
def reported: . as $s | live as $live
  | def strays($state): .beside.strays | split("\n") | map(split(" ") | select(.[3] == $state) | .[1]) | sort | join(" ");
  {live: $live, "live-recorded": ($live != null), "live-image": .live_image, "latest-image": .latest_image,
   "latest-is-live": (.latest_image != null and .latest_image == .live_image), previous: previous,
   available: ([available[]] | map(tostring) | join(" ")), held: (.held | length), pinned: (.pinned | map(tostring) | join(" ")),
   records: (.records | length), "keep-images": .beside.images, "keep-records": .beside.records,
   "pending-rollback": (.pending.to // null), "under-way": .beside.under_way,
   "nginx-config": .beside.proxy, strays: strays("running"), "strays-stopped": strays("stopped"),
   "config-drift": (if $live == null or $s.now.config == null then "" else ($s | config_difference($live) | [.back[], .dropped[], .changed[]] | sort | join(" ")) end)}
  | map_values(if . == null then "" else tostring end);

# What Dokku tells the app as its revision: a commit, or the id of an annotated tag of it; empty for an image.
def git_rev($now): ($now.config // {})[$now.git["rev-env-var"]? // "GIT_REV"] // "" | tostring
  | if test("^[0-9a-f]{40}$") then . else "" end;

# The commit of what has just gone live. A rebuild tells the app no revision, where a rollback by hand may have told another
# one. A fetch of an annotated tag tells it the id of the tag: the branch has the commit then, and after a rollback or a
# restart the record of an earlier release. A push tells the commit that it brings, which no record knows better: that of a
# rename or a rebuild may have been told it by a push that failed.
def revision($source; $rollback; $now): . as $s
  | git_rev($now) as $told
  | ((if $rollback then ($s | record($rollback.to)).git_sha
      elif $source == "ps:rebuild" or $source == "apps:rename" or $source == "git:sync" then $now.git.sha
      elif $source == "git-hook" then null
      else ([$s.records[] | select($told != "" and .git_rev == $told)] | last).git_sha end)
     // ($now.config // {})[$now.git["rev-env-var"]? // "GIT_REV"] // $now.git.sha // "")
  | if . == "HEAD" then "" else . end;
