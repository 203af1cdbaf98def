package annotator

import (
	"context"
	"math"
)

// fits reports how an import's files compare with the project's quota, before anything is written: a *QuotaError where those that the project
// does not have would not fit. What it cannot know, such as the size of masks that are made and of files that take the place of others, the
// transactions count.
func (i *importer) fits(ctx context.Context) error {
	if i.in.Sizes == nil {
		return nil
	}
	space, err := spaceOf(ctx, i.store, i.project.ID)
	if err != nil || space.Quota == 0 {
		return err
	}
	adds, err := i.adds(ctx, false)
	if err == nil && space.takes(adds) != nil && i.last > 0 && i.in.Holds != nil {
		adds, err = i.adds(ctx, true) // it may be a folder that was renamed
	}
	if err != nil {
		return err
	}
	return space.takes(adds)
}

// adds sums up the sizes of the files whose names the project does not have; with bytes set, of those whose bytes it does not have either.
func (i *importer) adds(ctx context.Context, bytes bool) (sum int64, err error) {
	var names []string
	sizes := map[string]int64{}
	look := func() error {
		known, err := i.store.KnownImages(ctx, i.project.ID, i.in.Source, names)
		if err != nil {
			return err
		}
		fresh := map[string][]string{} // names by hash
		for _, name := range names {
			switch _, is := known[name]; {
			case is:
			case !bytes:
				sum += sizes[name]
			default:
				hash, err := i.in.Holds(ctx, name)
				if err != nil {
					return err
				}
				fresh[hash] = append(fresh[hash], name)
			}
		}
		if len(fresh) > 0 {
			hashes := make([]string, 0, len(fresh))
			for hash := range fresh {
				hashes = append(hashes, hash)
			}
			there, err := i.store.ImagesOfBytes(ctx, i.project.ID, i.in.Source, hashes)
			if err != nil {
				return err
			}
			for _, image := range there {
				delete(fresh, image.Hash)
			}
			for _, of := range fresh {
				for _, name := range of {
					sum += sizes[name]
				}
			}
		}
		names = names[:0]
		clear(sizes)
		return nil
	}
	for name, size := range i.in.Sizes {
		if names, sizes[name] = append(names, name), min(size, math.MaxInt64-sum); len(names) == ImportChunk {
			if err := look(); err != nil {
				return 0, err
			}
		}
	}
	if len(names) > 0 {
		err = look()
	}
	return sum, err
}
