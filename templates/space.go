package templates

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/a-h/templ"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Space is the view model of what takes the space.
type Space struct {
	annotator.Space
	Typed   map[string]string // quotas as somebody typed them that were refused, by slug; "": that of all projects
	Problem string
}

// stretch is a part of a bar: what it stands for, and how much that is.
type stretch struct {
	class, label string
	bytes        int64
}

// stretches lays parts of a bar side by side: whole is what the bar's length stands for.
func stretches(parts []stretch, whole int64) (rects []templ.Attributes) {
	at := 0.0
	for _, p := range parts {
		if p.bytes <= 0 || whole <= 0 {
			continue
		}
		width := min(1000-at, 1000*float64(p.bytes)/float64(whole))
		rects = append(rects, templ.Attributes{"class": "of-" + p.class, "x": fmt.Sprintf("%.2f", at), "width": fmt.Sprintf("%.2f", width)})
		at += width
	}
	return rects
}

// parts are what the files of a project are.
func projectParts(ctx context.Context, p annotator.ProjectSpace) []stretch {
	return []stretch{
		{"images", words.T(ctx, "Images"), p.ImageBytes}, {"masks", words.T(ctx, "Masks"), p.MaskBytes},
		{"models", words.T(ctx, "Models"), p.ModelBytes + p.UploadBytes}, {"rounds", words.T(ctx, "Round that runs"), p.RoundBytes},
	}
}

// widest is what the longest bar of the projects stands for: the most that one has or may have.
func (v Space) widest() (most int64) {
	for _, p := range v.Projects {
		most = max(most, p.Used(), min(p.Quota, 4*p.Used()))
	}
	return most
}

// total sums up all projects.
func (v Space) total() (sum annotator.ProjectSpace) {
	for _, p := range v.Projects {
		sum.Images += p.Images
		sum.ImageBytes += p.ImageBytes
		sum.MaskBytes += p.MaskBytes
		sum.ModelBytes += p.ModelBytes
		sum.UploadBytes += p.UploadBytes
		sum.RoundBytes += p.RoundBytes
		sum.Uncounted += p.Uncounted
	}
	return sum
}

// folder is what was measured of a folder.
func (v Space) folder(what ...string) (bytes int64) {
	if v.Machine == nil {
		return 0
	}
	for _, f := range v.Machine.Folders {
		if slices.Contains(what, f.What) {
			bytes += f.Bytes
		}
	}
	return bytes
}

// diskParts are what lies on a disk. The rest is of others.
func (v Space) diskParts(ctx context.Context, d annotator.DiskSpace) (parts []stretch) {
	known := int64(0)
	add := func(class, label string, bytes int64) {
		known += bytes
		parts = append(parts, stretch{class, label, bytes})
	}
	if slices.Contains(d.Of, "blobs") && v.Blobs != nil {
		add("images", words.T(ctx, "Images and models"), v.Blobs.About(v.Projects))
	}
	if slices.Contains(d.Of, "database") {
		add("database", words.T(ctx, "Database"), v.folder("database"))
	}
	if slices.Contains(d.Of, "data") {
		add("caches", words.T(ctx, "Caches"), v.folder("pictures", "features", "blob-copies"))
		add("rounds", words.T(ctx, "Work under way"), v.folder("rounds", "imports", "incoming"))
	}
	parts = append(parts, stretch{"others", words.T(ctx, "Everything else"), max(0, d.Size-d.Free-known)})
	return append(parts, stretch{"free", words.T(ctx, "Free"), d.Free})
}

// diskWords are what lies on a disk.
var diskWords = map[string]string{"data": words.Key("data folder"), "blobs": words.Key("blob store"), "database": words.Key("database")}

// diskName names a disk by what lies on it.
func diskName(ctx context.Context, d annotator.DiskSpace) string {
	name := ""
	for _, of := range d.Of {
		if name != "" {
			name += " · "
		}
		name += words.Say(ctx, diskWords[of])
	}
	return words.Capital(name)
}

// folderWords say what is in a folder, and folderRemedies what of it can go.
var (
	folderWords = map[string]string{
		"pictures": words.Key("Pictures as they are shown"), "features": words.Key("Features of frozen extractors"), "blob-copies": words.Key("Copies of the bucket's files"),
		"rounds": words.Key("Checkpoints of rounds"), "imports": words.Key("Images on their way in"), "incoming": words.Key("Models on their way in"), "database": words.Key("Folder of the database"),
	}
	folderRemedies = map[string]string{
		"pictures":    words.Key("All of it may be deleted at any time: it is made again."),
		"features":    words.Key("All of it may be deleted at any time: the next scan or round computes it again."),
		"blob-copies": words.Key("All of it may be deleted at any time: it is fetched again."),
		"rounds":      words.Key("Goes when its round ends. What a failed round left, the project's next round takes over and removes."),
		"imports":     words.Key("Goes when it is imported or discarded, or three days after somebody last went on with it."),
		"incoming":    words.Key("Goes when its upload is over."),
		"database":    words.Key("Leave it to PostgreSQL. Its write-ahead log is in it."),
	}
)

// tableWords say what the tables of a group hold, and tableRemedies what makes them smaller.
var (
	tableWords = map[annotator.TableGroup]string{
		annotator.TablesOfImages: words.Key("Images and labels"), annotator.TablesOfPredictions: words.Key("Predictions"), annotator.TablesOfMaps: words.Key("Tasks, maps and reviews"),
		annotator.TablesOfRounds: words.Key("Rounds and versions"), annotator.TablesOfJobs: words.Key("Jobs"), annotator.TablesOfTrail: words.Key("Trail and webhooks"),
		annotator.TablesOfPeople: words.Key("People and sign-ins"), annotator.TablesOfOthers: words.Key("PostgreSQL's own, and the rest"),
	}
	tableRemedies = map[annotator.TableGroup]string{
		annotator.TablesOfImages:      words.Key("Stays as the record of what was done."),
		annotator.TablesOfPredictions: words.Key("One of each image and version, with its map. Those that no task rests on go when their project is purged."),
		annotator.TablesOfMaps:        words.Key("What people made: it stays. Undo histories go when a project is purged."),
		annotator.TablesOfRounds:      words.Key("The answers that a round's figures follow from go when its project is purged."),
		annotator.TablesOfJobs:        words.Key("Parts that ended go after a week."),
		annotator.TablesOfTrail:       words.Key("Lines are only added. Deliveries of webhooks go after a month."),
		annotator.TablesOfPeople:      words.Key("Sessions go when they expire."),
		annotator.TablesOfOthers:      words.Key("Leave it to PostgreSQL."),
	}
)

// gigabytes writes a quota as it is typed: 12.5. "" for none.
func gigabytes(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(bytes)/1e9, 'f', -1, 64)
}

// quotaTyped is what stands in the field of a project's quota, "" for all projects'.
func (v Space) quotaTyped(slug string, now int64) string {
	if typed, refused := v.Typed[slug]; refused {
		return typed
	}
	return gigabytes(now)
}

// quotaShare is a part of a quota in per cent, never above what is there: 100% is full.
func quotaShare(u annotator.SpaceUse) string { return strconv.Itoa(int(100*u.Share())) + "%" }

// quotaLook is the look of a quota's chip: little is left, or nothing.
func quotaLook(u annotator.SpaceUse) string {
	if u.Share() < 1 {
		return "queued"
	}
	return "failed"
}

// placeholderQuota is what stands in the empty field of a project's quota: that of every project.
func placeholderQuota(ctx context.Context, all int64) string {
	if all == 0 {
		return words.T(ctx, "none")
	}
	return gigabytes(all)
}
