package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// Segmenter implements annotator.SegmenterStore.
func (s *Store) Segmenter(ctx context.Context) (annotator.Segmenter, error) {
	found, err := one(ctx, s, pgx.RowToStructByName[annotator.Segmenter], `
		SELECT name, kind, pixels, encoder_hash, encoder_bytes, decoder_hash, decoder_bytes, added_at FROM segmenter`)
	return found, wrap(err, "the studio's segmenter")
}

// SaveSegmenter implements annotator.SegmenterStore.
func (s *Store) SaveSegmenter(ctx context.Context, g annotator.Segmenter) error {
	_, err := s.exec(ctx, `
		INSERT INTO segmenter (name, kind, pixels, encoder_hash, encoder_bytes, decoder_hash, decoder_bytes, added_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (one) DO UPDATE SET name = excluded.name, kind = excluded.kind, pixels = excluded.pixels, encoder_hash = excluded.encoder_hash,
			encoder_bytes = excluded.encoder_bytes, decoder_hash = excluded.decoder_hash, decoder_bytes = excluded.decoder_bytes, added_at = excluded.added_at`,
		g.Name, g.Kind, g.Pixels, g.EncoderHash, g.EncoderBytes, g.DecoderHash, g.DecoderBytes, g.AddedAt)
	return wrap(err, "keeping the segmenter")
}

// DeleteSegmenter implements annotator.SegmenterStore.
func (s *Store) DeleteSegmenter(ctx context.Context) error {
	_, err := s.exec(ctx, `DELETE FROM segmenter`)
	return wrap(err, "removing the segmenter")
}
