package space

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/disk"
)

// Folder is a folder to be measured: Bytes and Files are found.
type Folder struct {
	annotator.FolderSpace
	Dir string
}

// Place is something whose disk's room is told.
type Place struct {
	Of  string // as annotator.DiskSpace.Of has it
	Dir string
}

// Options say what a Machine measures.
type Options struct {
	Folders []Folder
	Places  []Place
	Bucket  bool          // the blob store is a bucket
	Lasts   time.Duration // how old a measurement may be before another is made; default 10 minutes
	Log     *slog.Logger  // default slog.Default
}

// Machine implements annotator.Machine. It is safe for concurrent use.
type Machine struct {
	options Options
	base    context.Context //nolint:containedctx // ends with Close
	stop    context.CancelFunc
	working sync.WaitGroup

	mu      sync.Mutex
	found   *annotator.MachineSpace
	running chan struct{} // closed when the measurement under way is over; nil: there is none
}

var _ annotator.Machine = (*Machine)(nil)

// NewMachine makes a machine. Nothing is measured before somebody asks.
func NewMachine(o Options) *Machine {
	if o.Lasts == 0 {
		o.Lasts = 10 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	m := &Machine{options: o}
	m.base, m.stop = context.WithCancel(context.Background())
	return m
}

// Close ends a measurement under way and waits for it.
func (m *Machine) Close() {
	m.stop()
	m.working.Wait()
}

// patience is how long who asks waits for a measurement under way: most take less.
const patience = 700 * time.Millisecond

// Space implements annotator.Machine.
func (m *Machine) Space(ctx context.Context, again bool) *annotator.MachineSpace {
	m.mu.Lock()
	if m.running == nil && m.base.Err() == nil && (again || m.found == nil || time.Since(m.found.MeasuredAt) > m.options.Lasts) {
		m.running = make(chan struct{})
		m.working.Go(func() { m.measure(m.running) })
	}
	running := m.running
	m.mu.Unlock()
	if running != nil {
		late := time.NewTimer(patience)
		defer late.Stop()
		select {
		case <-running:
		case <-late.C:
		case <-ctx.Done():
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.found
}

// measure looks at all folders and disks.
func (m *Machine) measure(over chan struct{}) {
	found := &annotator.MachineSpace{MeasuredAt: time.Now(), Folders: []annotator.FolderSpace{}, Disks: []annotator.DiskSpace{}, Bucket: m.options.Bucket}
	for _, folder := range m.options.Folders {
		one := folder.FolderSpace
		var err error
		if one.Bytes, one.Files, err = size(m.base, folder.Dir); err != nil {
			if m.base.Err() == nil {
				m.options.Log.WarnContext(m.base, "a folder cannot be measured", "folder", folder.Dir, "err", err)
			}
			continue
		}
		found.Folders = append(found.Folders, one)
	}
	var devices []uint64
	for _, place := range m.options.Places {
		free, room, known := disk.Room(place.Dir)
		device, told := disk.Device(place.Dir)
		if !known || !told {
			continue
		}
		if at := slices.Index(devices, device); at >= 0 {
			found.Disks[at].Of = append(found.Disks[at].Of, place.Of)
			continue
		}
		devices = append(devices, device)
		found.Disks = append(found.Disks, annotator.DiskSpace{Of: []string{place.Of}, Free: free, Size: room})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.base.Err() == nil {
		m.found = found
	}
	m.running = nil
	close(over)
}

// size adds up the sizes of the files below a folder; one that is not there has none.
func size(ctx context.Context, dir string) (bytes int64, files int, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			return nil // removed meanwhile
		case err != nil || !entry.Type().IsRegular():
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			bytes += info.Size()
			files++
		}
		return err
	})
	return bytes, files, err
}
