package measure

import "slices"

// Kind says what a measure is. It is the one home of a measure's name and words; docs/measures.md has them as a table.
type Kind struct {
	Name       string // in JSON, in rows and on the command line
	Label      string // as people read it
	Unit       string // Fraction, or "" for a number that is none
	Better     string // Higher, Lower, or "" where neither is better by itself
	Range      string
	Definition string
	Source     string
}

// Units and directions of a Kind.
const (
	Fraction = "fraction"
	Higher   = "higher"
	Lower    = "lower"
)

// The measures' names.
const (
	Accuracy        = "accuracy"
	Top5            = "top5"
	TopOneError     = "top1_error"
	TopFiveError    = "top5_error"
	WorstGroup      = "worst_group"
	WorstClass      = "worst_class"
	WorstFifth      = "worst_fifth"
	AttentionBranch = "attention_branch"
	Confidence      = "mean_confidence"
	ECE             = "ece"
	Inside          = "attention_inside"
	MaskArea        = "mask_area"
	PointingGame    = "pointing_game"
	RelevanceRank   = "relevance_rank"
	MaskIoU         = "mask_iou"
	WrongReason     = "wrong_reason"
	MapDistance     = "map_distance"
	MapSoftIoU      = "map_soft_iou"
	MapSpearman     = "map_spearman"
	MapDrift        = "map_drift"
	DeletionAUC     = "deletion_auc"
	InsertionAUC    = "insertion_auc"
)

// kinds are the measures in the order in which they are reported.
var kinds = []Kind{
	{Accuracy, "Accuracy", Fraction, Higher, "0 to 1",
		"Share of images whose most probable class is the label. Of equally probable classes the first counts.", "Also called top-1 accuracy"},
	{TopOneError, "Top-1 error", Fraction, Lower, "0 to 1", "1 − accuracy.", "Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, 2015"},
	{Top5, "Label among the first five", Fraction, Higher, "0 to 1",
		"Share of images whose label is among the five most probable classes. For networks with more than five classes.", "Russakovsky et al., 2015"},
	{TopFiveError, "Top-5 error", Fraction, Lower, "0 to 1", "1 − the share of labels among the first five.", "Russakovsky et al., 2015"},
	{WorstGroup, "Accuracy on the worst group", Fraction, Higher, "0 to 1",
		"The least accuracy among the groups that images are in.", "Sagawa et al., Distributionally Robust Neural Networks, 2020"},
	{WorstClass, "Accuracy on the worst class", Fraction, Higher, "0 to 1", "The least accuracy among the classes that occur.", "As for groups"},
	{WorstFifth, "Accuracy on the worst fifth of classes", Fraction, Higher, "0 to 1",
		"The mean accuracy of the K/5 classes (rounded down, at least one) of least accuracy, of the K that occur. Each network has its own worst classes, chosen anew in every bootstrap sample.",
		"Ours; less at the mercy of one class than the worst one"},
	{AttentionBranch, "Accuracy of the attention branch", Fraction, Higher, "0 to 1", "Accuracy of the attention branch's own answer.", "Fukui et al., Attention Branch Network, 2019"},
	{Confidence, "Mean confidence", Fraction, "", "0 to 1", "Mean probability of the answer given, right or wrong.", "Guo et al., On Calibration of Modern Neural Networks, 2017"},
	{ECE, "Expected calibration error", Fraction, Lower, "0 to 1",
		"Σ over 15 bins of equal width of (images in the bin ÷ images) · |accuracy − mean confidence| of the bin. Bin m holds the confidences in ((m−1)/15, m/15].", "Guo et al., 2017, eq. 3"},
	{Inside, "Attention inside the object", Fraction, Higher, "0 to 1",
		"Σ M·mask ÷ Σ M on the map's grid, each cell of the mask being the share of it that the object covers. To be read beside the mask's area: an even map scores that.",
		"Wang et al., Score-CAM, 2020 (energy-based pointing game); relevance mass accuracy of Arras et al., 2022"},
	{MaskArea, "The object's share of the picture", Fraction, "", "0 to 1", "Mean of the mask over the map's cells.", "What attention inside has to beat"},
	{PointingGame, "Pointing game", Fraction, Higher, "0 to 1",
		"Share of images whose largest map value lies on the object or at most 15 pixels of the network's input from it. Not defined for a map without a largest value.",
		"Zhang et al., Top-down Neural Attention by Excitation Backprop, 2016"},
	{RelevanceRank, "Relevance rank accuracy", Fraction, Higher, "0 to 1",
		"With the object's number of pixels n: the share of the n pixels of largest map value that lie on the object. Not defined for an even map.",
		"Arras, Osman, Samek, CLEVR-XAI, 2022"},
	{MaskIoU, "IoU of map and object", Fraction, Higher, "0 to 1",
		"Pixels in both ÷ pixels in either, of the object and of where the map is at least half of its largest value.", "Jaccard, 1912; Zhou et al., Learning Deep Features for Discriminative Localization, 2016, for thresholds relative to the largest value"},
	{WrongReason, "Wrong-reason score", Fraction, Lower, "0 to 1",
		"Share of the area that must not matter on which the map is active: the map is scaled to 0 … 1 by its least and largest value and is active where it is above the mean of all images' scaled maps. That area is where a person marked «do not look here», else all outside the object. Not defined for an even map.",
		"Friedrich et al., A typology for exploring the mitigation of shortcut behaviour, 2023, and its code's quantify_wrong_reason with mode mean; the area outside the object is our choice"},
	{MapDistance, "Distance to people's maps", "", Lower, "0 to √(cells)",
		"‖M′ − M‖₂ over the cells that carry a value, averaged over the images with a person's map: L_map at γ = 1, on held-out images if the maps are of those.",
		"Mitsuhara et al., Embedding Human Knowledge into Deep Neural Network via Attention Map, 2019"},
	{MapSoftIoU, "Soft IoU with people's maps", Fraction, Higher, "0 to 1", "Σ min(M, M′) ÷ Σ max(M, M′) over the cells that carry a value. Not defined where both maps are zero.", "Ruzicka, 1958; the Jaccard index of weighted sets"},
	{MapSpearman, "Rank correlation with people's maps", "", Higher, "−1 to 1",
		"Spearman's ρ of M and M′ over the cells that carry a value; equal values share their mean rank. Not defined where either map is even.", "Spearman, 1904"},
	{MapDrift, "Map moved on images that were right and stay so", "", Lower, "0 to √(cells)",
		"‖M − M°‖₂ to the parent's map, averaged over held-out images that parent, control and candidate get right.", "Ours"},
	{DeletionAUC, "Deletion", Fraction, Lower, "0 to 1",
		"Area under the probability of the network's first answer while the pixels of largest map value are replaced by the mean colour (0 after normalisation), a row's number of pixels at a time.",
		"Petsiuk, Das, Saenko, RISE, 2018, and its code's CausalMetric"},
	{InsertionAUC, "Insertion", Fraction, Higher, "0 to 1",
		"The same while they are put into the blurred picture (a Gaussian of 11 × 11 pixels, σ 5).", "Petsiuk, Das, Saenko, 2018"},
}

// Kinds are the measures in the order in which they are reported.
func Kinds() []Kind { return slices.Clone(kinds) }

// KindOf returns a measure by its name; a name that none has gives a Kind with that name alone.
func KindOf(name string) Kind {
	if i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name }); i >= 0 {
		return kinds[i]
	}
	return Kind{Name: name}
}
