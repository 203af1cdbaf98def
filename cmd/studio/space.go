package main

import (
	"cmp"
	"path/filepath"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/postgres/embedded"
	"github.com/abn-studio/studio/internal/space"
)

// onMachine is what of a server's machine the page Storage tells: the folders below the data folder, their bounds and the flags that set these,
// and the disks.
func onMachine(s *storage, c studioConfig) space.Options {
	o := space.Options{Log: c.log}
	folder := func(what, dir string, limit int64, flag string) {
		below, err := filepath.Rel(s.Data, dir)
		if err != nil {
			below = filepath.Base(dir)
		}
		o.Folders = append(o.Folders, space.Folder{Dir: dir, FolderSpace: annotator.FolderSpace{Folder: filepath.ToSlash(below), What: what, Limit: limit, Flag: flag}})
	}
	cache := filepath.Join(s.Data, "cache")
	folder("pictures", filepath.Join(cache, "pictures"), cmp.Or(c.pictureBytes, inference.DefaultPictureBytes), "--picture-cache-mb")
	folder("features", jobs.FeaturesFolder(s.Data), cmp.Or(c.featureBytes, features.DefaultBytes), "--feature-cache-mb")
	if dir, limit, is := s.Blobs.Cache(); is {
		folder("blob-copies", dir, limit, "--blob-cache-mb")
		o.Bucket = true
	}
	folder("rounds", jobs.RoundsFolder(s.Data), 0, "")
	folder("imports", jobs.StagingFolder(s.Data), 0, "")
	folder("incoming", jobs.IncomingFolder(s.Data), 0, "")
	o.Places = append(o.Places, space.Place{Of: "data", Dir: s.Data})
	if dir, is := s.Blobs.Folder(); is {
		o.Places = append(o.Places, space.Place{Of: "blobs", Dir: dir})
	}
	if s.server != nil {
		dir := embedded.Cluster(s.Data)
		folder("database", dir, 0, "")
		o.Places = append(o.Places, space.Place{Of: "database", Dir: dir})
	}
	return o
}
