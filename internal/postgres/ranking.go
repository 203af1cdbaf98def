package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/orders"
)

// DueQueue is a project whose images wait for their places in the orders.
type DueQueue struct {
	ProjectID int64
	Asked     time.Time // now: what is asked for later is due again
}

// DueQueues lists the open projects whose images' places are due: after a scan, with another mix, or since maps were approved that the
// places in the order of the wrong reason go by.
func (s *Store) DueQueues(ctx context.Context) ([]DueQueue, error) {
	all, err := list(ctx, s, pgx.RowToStructByPos[DueQueue], `
		SELECT p.id, clock_timestamp() FROM projects p JOIN queues q ON q.project_id = p.id
		WHERE p.closed_at IS NULL AND p.deleted_at IS NULL AND (q.ranked_at IS NULL OR q.due_at > q.ranked_at
			OR coalesce((p.mix->>$1)::int, 0) > 0 AND EXISTS (
				SELECT FROM reviews r JOIN edits e ON e.id = r.edit_id JOIN tasks t ON t.id = e.task_id
				WHERE r.created_at > q.ranked_at AND r.verdict = 'approve' AND t.project_id = p.id))
		ORDER BY p.id`, string(orders.WrongReason))
	return all, wrap(err, "looking for queues to rank")
}

// QueueRanked notes that a project's places are worked out of what was there at a time.
func (s *Store) QueueRanked(ctx context.Context, q DueQueue) error {
	_, err := s.exec(ctx, `UPDATE queues SET ranked_at = $2 WHERE project_id = $1`, q.ProjectID, q.Asked)
	return wrap(err, "ranking the queue of project %d", q.ProjectID)
}

// RankConfusions gives the open tasks of images that a version gets wrong their places in the order by confusion: of every pair of
// classes the most confident, the pair with most tasks first; then of every pair the second, and so on.
func (s *Store) RankConfusions(ctx context.Context, versionID int64) error {
	_, err := s.exec(ctx, `
		UPDATE tasks t SET confusion_place = x.place FROM (
			SELECT id, row_number() OVER (ORDER BY nth, pairs DESC, label, predicted, id) AS place FROM (
				SELECT id, label, predicted, count(*) OVER (PARTITION BY label, predicted) AS pairs,
					row_number() OVER (PARTITION BY label, predicted ORDER BY confidence DESC, id) AS nth
				FROM tasks WHERE version_id = $1 AND state = 'open' AND label <> predicted) n) x
		WHERE t.id = x.id AND t.state = 'open' AND t.confusion_place IS DISTINCT FROM x.place`, versionID)
	return wrap(err, "ranking the confusions of version %d", versionID)
}

// MistakesToSpread lists images with open tasks that a version gets wrong, drawn at random if there are more than limit.
func (s *Store) MistakesToSpread(ctx context.Context, versionID int64, limit int) ([]annotator.Image, error) {
	all, err := list(ctx, s, scanImage, `
		SELECT `+imageColumns+` FROM images i JOIN tasks t ON t.image_id = i.id
		WHERE t.version_id = $1 AND t.state = 'open' AND t.label <> t.predicted AND i.retired_at IS NULL AND i.broken = '' ORDER BY t.chance, t.id LIMIT $2`, versionID, limit)
	return all, wrap(err, "the mistakes of version %d", versionID)
}

// SetDiverse gives images their places in the order of those far apart, from 1; other tasks of the version have none.
func (s *Store) SetDiverse(ctx context.Context, versionID int64, images []int64) error {
	_, err := s.exec(ctx, `
		UPDATE tasks t SET diverse_place = x.place
		FROM tasks o LEFT JOIN unnest($2::bigint[]) WITH ORDINALITY x(image, place) ON x.image = o.image_id
		WHERE o.version_id = $1 AND t.id = o.id AND t.state = 'open' AND t.diverse_place IS DISTINCT FROM x.place`, versionID, images)
	return wrap(err, "spreading the tasks of version %d", versionID)
}

// ReservedMap is an image that a version gets right, with the version's map of it.
type ReservedMap struct {
	Image annotator.Image
	Map   attention.Map
}

// ReservedMaps lists images of a version's reserve with ids above one, by id: those whose attention inside their mask is not known, and
// those without a mask.
func (s *Store) ReservedMaps(ctx context.Context, versionID, after int64, limit int) ([]ReservedMap, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (m ReservedMap, err error) {
		var height, width int
		var cells []byte
		if err = row.Scan(append(imageFields(&m.Image), &height, &width, &cells)...); err != nil {
			return m, err
		}
		m.Map, err = attention.FromBytes(height, width, cells)
		return m, err
	}, `
		SELECT `+imageColumns+`, p.map_height, p.map_width, p.map
		FROM reserve r JOIN images i ON i.id = r.image_id JOIN predictions p ON p.version_id = r.version_id AND p.image_id = r.image_id
		WHERE r.version_id = $1 AND r.image_id > $2 AND (i.mask_hash = '' OR r.inside IS NULL) AND i.label IS NOT NULL ORDER BY r.image_id LIMIT $3`, versionID, after, limit)
	return all, wrap(err, "the reserve of version %d", versionID)
}

// Suspicion is what is known of an image that a version gets right.
type Suspicion struct {
	ImageID  int64
	Inside   *float32 // the share of its attention inside the mask, in [0,1]
	Distance *float32 // root mean square of its map's difference to the mean approved map of its class, in [0,1]
}

// SetSuspicions keeps what is known of images of the reserve; nil: not known.
func (s *Store) SetSuspicions(ctx context.Context, versionID int64, all []Suspicion) error {
	ids, inside, distances := make([]int64, len(all)), make([]*float32, len(all)), make([]*float32, len(all))
	for i, a := range all {
		ids[i], inside[i], distances[i] = a.ImageID, a.Inside, a.Distance
	}
	_, err := s.exec(ctx, `
		UPDATE reserve r SET inside = x.inside, distance = x.distance FROM unnest($2::bigint[], $3::real[], $4::real[]) x(image, inside, distance)
		WHERE r.version_id = $1 AND r.image_id = x.image`, versionID, ids, inside, distances)
	return wrap(err, "keeping what is known of %d images", len(all))
}

// RankReasons gives images of a version's reserve their places in the order of the wrong reason: those with a mask by the attention inside
// it, those without by the distance of their map, one of each in turn.
func (s *Store) RankReasons(ctx context.Context, versionID int64) error {
	_, err := s.exec(ctx, `
		UPDATE reserve r SET reason_place = x.place
		FROM (SELECT image_id, CASE WHEN inside IS NOT NULL OR distance IS NOT NULL THEN
			row_number() OVER (PARTITION BY inside IS NULL ORDER BY inside, distance DESC NULLS LAST, image_id) END AS place
			FROM reserve WHERE version_id = $1) x
		WHERE r.image_id = x.image_id AND r.reason_place IS DISTINCT FROM x.place`, versionID)
	return wrap(err, "ranking the reserve of version %d", versionID)
}
