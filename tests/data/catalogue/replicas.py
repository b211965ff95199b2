"""Small replicas of the sets of the catalogue: which files there are, and what a right reading makes of them.

In a name, `{a,b}` stands for each of the words, `{01..12}` for each of the numbers with as many digits.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

BRACES = re.compile(r"\{([^{}]+)\}")
KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".bmp": "BMP", ".gif": "GIF"}


@dataclass(frozen=True)
class Replica:
    """A set in small.

    images, masks, others: names of images, masks and further files. tables: their lines. again: folders that are
    copied, and to where. labels: how many images of each class a right reading has. splits, groups, masked: how many
    images are in each published split, how many groups they make (every image is its own where files tell nothing),
    and how many have a mask.
    """

    images: list[str]
    labels: dict[str, int]
    masks: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    tables: dict[str, list[str]] = field(default_factory=dict)
    again: dict[str, str] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    groups: int | None = None
    masked: int = 0

    def write(self, folder: Path) -> Path:
        """Write the files below a folder; each image has pixels of its own."""
        for number, name in enumerate(expanded(self.images)):
            _save(folder / name, np.random.default_rng(number).integers(0, 256, (10, 12), np.uint8))
        for number, name in enumerate(expanded(self.masks)):
            mask = np.zeros((10, 12), np.uint8)
            mask[2 : 4 + number % 6, 3:9] = 255
            _save(folder / name, mask)
        for name in expanded(self.others):
            _write(folder / name, b"other")
        for name, lines in self.tables.items():
            _write(folder / name, "".join(f"{line}\n" for line in expanded(lines)).encode())
        for source, target in self.again.items():
            shutil.copytree(folder / source, folder / target, dirs_exist_ok=True)
        return folder


def expanded(names: list[str]) -> list[str]:
    """List all names for which a list with braces stands."""
    return [each for name in names for each in _expand(name)]


def _expand(name: str) -> Iterator[str]:
    found = BRACES.search(name)
    if found is None:
        yield name
        return
    first, dots, last = found[1].partition("..")
    words = [f"{n:0{len(first)}}" for n in range(int(first), int(last) + 1)] if dots else found[1].split(",")
    for word in words:
        yield from _expand(name[: found.start()] + word + name[found.end() :])


def _save(path: Path, pixels: np.ndarray) -> None:
    if path.suffix == ".dcm":
        _write(path, b"\0" * 128 + b"DICM" + pixels.tobytes())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, KINDS[path.suffix.lower()])


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


FETAL = (
    "anold chiari malformation", "arachnoid cyst", "cerebellah hypoplasia", "cisterna magna", "colphocephaly",
    "encephalocele", "holoprosencephaly", "hydracenphaly", "intracranial hemorrdge", "intracranial tumor",
    "mild ventriculomegaly", "moderate ventriculomegaly", "polencephaly", "severe ventriculomegaly",
)  # fmt: skip

CHEXPERT = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
NIH = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
    "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax",
)  # fmt: skip

REPLICAS = {
    "nih-chest-xrays/data": Replica(
        images=["images_001/images/00000001_0{00..13}.png", "images_002/images/0000000{2..3}_000.png"],
        tables={
            "Data_Entry_2017.csv": [
                "Image Index,Finding Labels,Follow-up #,Patient ID",
                *(f"00000001_{number:03}.png,{name},{number},1" for number, name in enumerate(NIH)),
                "00000002_000.png,Cardiomegaly|Effusion,0,2",
                "00000003_000.png,No Finding,0,3",
            ],
            "train_val_list.txt": ["00000001_0{00..13}.png"],
        },
        labels=dict.fromkeys(NIH, 1) | {"Cardiomegaly": 2, "Effusion": 2, "no finding": 1},
        groups=3,
    ),
    "ashery/chexpert": Replica(
        images=["train/patient000{01..14}/study1/view1_frontal.jpg", "valid/patient64541/study1/view1_frontal.jpg"],
        tables={
            "train.csv": [
                ",".join(["Path", "Sex", "Age", *CHEXPERT]),
                *(
                    ",".join(
                        [f"CheXpert-v1.0-small/train/patient000{row + 1:02}/study1/view1_frontal.jpg", "Male", "60"]
                        + [
                            "1.0" if column == row else "-1.0" if (row, column) == (3, 5) else ""
                            for column in range(14)
                        ]
                    )
                    for row in range(14)
                ),
            ],
            "valid.csv": ["Path,Sex,Age", "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,Male,50"],
        },
        labels=dict.fromkeys(CHEXPERT[1:], 1) | {"no finding": 1},
        groups=14,
    ),
    "paultimothymooney/chest-xray-pneumonia": Replica(
        images=[
            "chest_xray/train/NORMAL/{IM-0115,IM-0117,NORMAL2-IM-0501}-0001{,-0001}.jpeg",
            "chest_xray/train/PNEUMONIA/person{1,2,3}_bacteria_{1..2}.jpeg",
            "chest_xray/train/PNEUMONIA/person1_virus_6.jpeg",
            "chest_xray/val/{NORMAL/NORMAL2-IM-1427-0001,PNEUMONIA/person1946_bacteria_4874}.jpeg",
            "chest_xray/test/{NORMAL/IM-0001-0001,PNEUMONIA/person1_virus_11}.jpeg",
        ],
        others=["chest_xray/__MACOSX/chest_xray/train/NORMAL/._IM-0115-0001.jpeg", "chest_xray/train/.DS_Store"],
        again={"chest_xray": "chest_xray/chest_xray"},
        labels={"NORMAL": 8, "PNEUMONIA": 9},
        splits={"train": 13, "val": 2, "test": 2},
        groups=3 + 4 + 2 + 1,
    ),
    "tawsifurrahman/covid19-radiography-database": Replica(
        images=["COVID-19_Radiography_Dataset/{COVID,Lung_Opacity,Normal,Viral Pneumonia}/images/scan-{1..3}.png"],
        masks=["COVID-19_Radiography_Dataset/{COVID,Lung_Opacity,Normal,Viral Pneumonia}/masks/scan-{1..3}.png"],
        others=[
            "COVID-19_Radiography_Dataset/{COVID,Normal}.metadata.xlsx",
            "COVID-19_Radiography_Dataset/README.md.txt",
        ],
        labels={"COVID": 3, "Lung_Opacity": 3, "Normal": 3, "Viral Pneumonia": 3},
        masked=12,
    ),
    "kmader/skin-cancer-mnist-ham10000": Replica(
        images=["HAM10000_images_part_1/ISIC_002{4306..4312}.jpg", "HAM10000_images_part_2/ISIC_002{9306..9312}.jpg"],
        tables={
            "HAM10000_metadata.csv": [
                "lesion_id,image_id,dx,dx_type,age,sex,localization",
                "HAM_1,ISIC_002{4306,4307},nv,histo,50.0,male,back",
                "HAM_2,ISIC_002{4308,9306},mel,histo,60.0,male,back",
                "HAM_3,ISIC_00{24309,24310},bkl,histo,,male,back",
                "HAM_4,ISIC_00{24311,24312},akiec,histo,,male,back",
                "HAM_5,ISIC_00{29307,29308},bcc,histo,,female,face",
                "HAM_6,ISIC_00{29309,29310},df,consensus,,female,face",
                "HAM_7,ISIC_00{29311,29312},vasc,consensus,,female,face",
            ],
            "hmnist_8_8_L.csv": ["pixel0000,pixel0001,label", "{10..23},4,2"],
        },
        again={"HAM10000_images_part_1": "ham10000_images_part_1"},
        labels={"akiec": 2, "bcc": 2, "bkl": 2, "df": 2, "mel": 2, "nv": 2, "vasc": 2},
        groups=7,
    ),
    "andrewmvd/isic-2019": Replica(
        images=["ISIC_2019_Training_Input/ISIC_2019_Training_Input/ISIC_00000{10..25}.jpg"],
        tables={
            "ISIC_2019_Training_GroundTruth.csv": [
                "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK",
                *(
                    f"ISIC_00000{10 + number}," + ",".join(f"{float(number % 8 == at)}" for at in range(8)) + ",0.0"
                    for number in range(16)
                ),
            ],
            "ISIC_2019_Training_Metadata.csv": [
                "image,age_approx,anatom_site_general,lesion_id,sex",
                "ISIC_00000{10..13},55.0,anterior torso,,female",
                *(f"ISIC_00000{14 + number},40.0,,MSK4_{number // 2},male" for number in range(12)),
            ],
        },
        labels=dict.fromkeys(("AK", "BCC", "BKL", "DF", "MEL", "NV", "SCC", "VASC"), 2),
        groups=4 + 6,
    ),
    "siim-isic-melanoma-classification": Replica(
        images=["jpeg/{train,test}/ISIC_001{5719..5726}.jpg", "{train,test}/ISIC_001{5719..5726}.dcm"],
        others=["tfrecords/train00-2071.tfrec"],
        tables={
            "train.csv": [
                "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target",
                "ISIC_001{5719..5723},IP_01,male,45.0,torso,unknown,benign,0",
                "ISIC_001{5724..5726},IP_02,male,45.0,torso,melanoma,malignant,1",
            ],
            "test.csv": ["image_name,patient_id,sex", "ISIC_001{5719..5726},IP_09,male"],
            "sample_submission.csv": ["image_name,target", "ISIC_001{5719..5726},0"],
        },
        labels={"benign": 5, "malignant": 3},
        groups=2,
    ),
    "aptos2019-blindness-detection": Replica(
        images=[
            "train_images/{000c1434,001639a3,0024cdab,002c21358,005b95c2}{7,8}.png",
            "test_images/0005cf{6..9}.png",
        ],
        tables={
            "train.csv": [
                "id_code,diagnosis",
                *(
                    f"{name}{{7,8}},{grade}"
                    for grade, name in enumerate(("000c1434", "001639a3", "0024cdab", "002c21358", "005b95c2"))
                ),
            ],
            "test.csv": ["id_code", "0005cf{6..9}"],
            "sample_submission.csv": ["id_code,diagnosis", "0005cf{6..9},0"],
        },
        labels={str(grade): 2 for grade in range(5)},
    ),
    "rsna-pneumonia-detection-challenge": Replica(
        images=[
            "stage_2_train_images/0004cfab-14fd-4e49-80ba-63a80b6bdd{10..18}.dcm",
            "stage_2_test_images/00{10..12}.dcm",
        ],
        tables={
            "stage_2_detailed_class_info.csv": [
                "patientId,class",
                "0004cfab-14fd-4e49-80ba-63a80b6bdd{10..12},No Lung Opacity / Not Normal",
                "0004cfab-14fd-4e49-80ba-63a80b6bdd{13..15},Normal",
                "0004cfab-14fd-4e49-80ba-63a80b6bdd{16..18},Lung Opacity",
                "0004cfab-14fd-4e49-80ba-63a80b6bdd16,Lung Opacity",
            ],
            "stage_2_train_labels.csv": [
                "patientId,x,y,width,height,Target",
                "0004cfab-14fd-4e49-80ba-63a80b6bdd{10..15},,,,,0",
                "0004cfab-14fd-4e49-80ba-63a80b6bdd{16..18},264.0,152.0,213.0,379.0,1",
                "0004cfab-14fd-4e49-80ba-63a80b6bdd16,562.0,152.0,256.0,453.0,1",
            ],
            "stage_2_sample_submission.csv": ["patientId,PredictionString", "00{10..12},0.5 0 0 100 100"],
        },
        labels={"Lung Opacity": 3, "No Lung Opacity / Not Normal": 3, "Normal": 3},
        groups=9,
    ),
    "masoudnickparvar/brain-tumor-mri-dataset": Replica(
        images=[
            "{Training/glioma/Tr-gl,Training/meningioma/Tr-me,Training/notumor/Tr-no,Training/pituitary/Tr-pi}_00{10..13}.jpg",
            "{Testing/glioma/Te-gl,Testing/meningioma/Te-me,Testing/notumor/Te-no,Testing/pituitary/Te-pi}_00{10..11}.jpg",
        ],
        labels={"glioma": 6, "meningioma": 6, "notumor": 6, "pituitary": 6},
        splits={"train": 16, "test": 8},
    ),
    "sartajbhuvaji/brain-tumor-classification-mri": Replica(
        images=["{Training,Testing}/{glioma_tumor,meningioma_tumor,no_tumor,pituitary_tumor}/image({1..3}).jpg"],
        labels={"glioma_tumor": 6, "meningioma_tumor": 6, "no_tumor": 6, "pituitary_tumor": 6},
        splits={"train": 12, "test": 12},
    ),
    "ahmedhamada0/brain-tumor-detection": Replica(
        images=["yes/y{0..5}.jpg", "no/no{0..5}.jpg", "pred/pred{0..3}.jpg"],
        labels={"no": 6, "yes": 6},
    ),
    "navoneel/brain-mri-images-for-brain-tumor-detection": Replica(
        images=["brain_tumor_dataset/no/{1 no.jpeg,10 no.jpg,No11.jpg}", "brain_tumor_dataset/yes/Y{1..4}.JPG"],
        again={"brain_tumor_dataset/no": "no", "brain_tumor_dataset/yes": "yes"},
        labels={"no": 3, "yes": 4},
    ),
    "mateuszbuda/lgg-mri-segmentation": Replica(
        images=[
            "kaggle_3m/TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_{1..12}.tif",
            "kaggle_3m/TCGA_DU_5855_19951217/TCGA_DU_5855_19951217_{1..4}.tif",
        ],
        masks=[
            "kaggle_3m/TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_{1..12}_mask.tif",
            "kaggle_3m/TCGA_DU_5855_19951217/TCGA_DU_5855_19951217_{1..4}_mask.tif",
        ],
        tables={"kaggle_3m/data.csv": ["Patient,RNASeqCluster", "TCGA_CS_4941,2", "TCGA_DU_5855,1"]},
        again={"kaggle_3m": "lgg-mri-segmentation/kaggle_3m"},
        labels={"unlabelled": 16},
        groups=2,
        masked=16,
    ),
    "aryashah2k/breast-ultrasound-images-dataset": Replica(
        images=["Dataset_BUSI_with_GT/{benign/benign,malignant/malignant,normal/normal} ({1..4}).png"],
        masks=[
            "Dataset_BUSI_with_GT/{benign/benign,malignant/malignant,normal/normal} ({1..4})_mask.png",
            "Dataset_BUSI_with_GT/benign/benign (4)_mask_{1..2}.png",
        ],
        labels={"benign": 4, "malignant": 4, "normal": 4},
        masked=12,
    ),
    "ambarish/breakhis": Replica(
        images=[
            "BreaKHis_v1/BreaKHis_v1/histology_slides/breast/benign/SOB/adenosis/SOB_B_A_14-22549AB/{40,100}X/"
            "SOB_B_A-14-22549AB-{40,100}-001.png",
            "BreaKHis_v1/BreaKHis_v1/histology_slides/breast/malignant/SOB/ductal_carcinoma/SOB_M_DC_14-2523/{40,100}X/"
            "SOB_M_DC-14-2523-{40,100}-00{1..2}.png",
        ],
        tables={"Folds.csv": ["fold,mag,grp,filename", "{1..5},40,train,BreaKHis_v1/histology_slides/x.png"]},
        labels={"benign": 4, "malignant": 8},
        groups=2,
    ),
    "paultimothymooney/breast-histopathology-images": Replica(
        images=[
            f"{patient}/{cls}/{patient}_idx5_x{{1001..1003}}_y1_class{cls}.png"
            for patient in (8863, 9075)
            for cls in "01"
        ],
        again={"8863": "IDC_regular_ps50_idx5/8863", "9075": "IDC_regular_ps50_idx5/9075"},
        labels={"0": 6, "1": 6},
        groups=2,
    ),
    "histopathologic-cancer-detection": Replica(
        images=["train/f38a6374c348f90b587e046aac607995{1..6}.tif", "test/0b2ea2a822ad23fdb1b5dd26653da899{1..3}.tif"],
        tables={
            "train_labels.csv": [
                "id,label",
                "f38a6374c348f90b587e046aac607995{1..4},0",
                "f38a6374c348f90b587e046aac607995{5..6},1",
            ],
            "sample_submission.csv": ["id,label", "0b2ea2a822ad23fdb1b5dd26653da899{1..3},0"],
        },
        labels={"0": 4, "1": 2},
    ),
    "paultimothymooney/blood-cells": Replica(
        images=[
            *(
                f"dataset2-master/dataset2-master/images/{split}/{name}/_{first + number}_{{1007,1348}}.jpeg"
                for split, first in (("TRAIN", 0), ("TEST", 50))
                for number, name in enumerate(("EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL"))
            ),
            "dataset2-master/dataset2-master/images/TEST_SIMPLE/{EOSINOPHIL,LYMPHOCYTE}/_0_5239.jpeg",
            "dataset-master/dataset-master/JPEGImages/BloodImage_0000{0..5}.jpg",
        ],
        tables={
            "dataset2-master/dataset2-master/labels.csv": [",Image,Category", "{0..5},{0..5},NEUTROPHIL"],
            "dataset-master/dataset-master/labels.csv": [",Image,Category", "{0..5},{0..5},EOSINOPHIL"],
        },
        labels={"EOSINOPHIL": 4, "LYMPHOCYTE": 4, "MONOCYTE": 4, "NEUTROPHIL": 4},
        splits={"train": 8, "test": 8},
        groups=8,
    ),
    "debeshjha1/kvasirseg": Replica(
        images=["Kvasir-SEG/Kvasir-SEG/images/cju0qkwl35piu0993l0dewei{1..6}.jpg"],
        masks=["Kvasir-SEG/Kvasir-SEG/masks/cju0qkwl35piu0993l0dewei{1..6}.jpg"],
        others=["Kvasir-SEG/Kvasir-SEG/kavsir_bboxes.json", "Kvasir-SEG/{train,val}.txt"],
        labels={"unlabelled": 6},
        masked=6,
    ),
    "paultimothymooney/kermany2018": Replica(
        images=[
            "OCT2017 /train/{CNV/CNV,DME/DME,DRUSEN/DRUSEN,NORMAL/NORMAL}-103704{1,2}-{1..2}.jpeg",
            "OCT2017 /test/{CNV/CNV,DME/DME,DRUSEN/DRUSEN,NORMAL/NORMAL}-1016042-1.jpeg",
            "OCT2017 /val/{CNV/CNV,DME/DME,DRUSEN/DRUSEN,NORMAL/NORMAL}-1047803-1.jpeg",
        ],
        again={"OCT2017 ": "oct2017/OCT2017 "},
        labels={"CNV": 6, "DME": 6, "DRUSEN": 6, "NORMAL": 6},
        splits={"train": 16, "val": 4, "test": 4},
        groups=16,
    ),
    "andrewmvd/lung-and-colon-cancer-histopathological-images": Replica(
        images=[
            "lung_colon_image_set/colon_image_sets/{colon_aca/colonca,colon_n/colonn}{1..3}.jpeg",
            "lung_colon_image_set/lung_image_sets/{lung_aca/lungaca,lung_n/lungn,lung_scc/lungscc}{1..3}.jpeg",
        ],
        labels={"colon_aca": 3, "colon_n": 3, "lung_aca": 3, "lung_n": 3, "lung_scc": 3},
    ),
    "andrewmvd/ocular-disease-recognition-odir5k": Replica(
        images=[
            "preprocessed_images/{0..7}_{left,right}.jpg",
            "ODIR-5K/ODIR-5K/Training Images/{0..7}_{left,right}.jpg",
            "ODIR-5K/ODIR-5K/Testing Images/{937..939}_left.jpg",
        ],
        others=["ODIR-5K/ODIR-5K/data.xlsx"],
        tables={
            "full_df.csv": [
                "ID,Patient Age,Left-Fundus,Right-Fundus,N,D,G,C,A,H,M,O,filepath,labels,target,filename",
                *(
                    f"{patient},60,{patient}_left.jpg,{patient}_right.jpg,0,0,0,0,0,0,0,0,"
                    f"../input/{patient}_{side}.jpg,['{letter}'],\"[0, 1]\",{patient}_{side}.jpg"
                    for patient, letter in enumerate("NDGCAHMO")
                    for side in ("left", "right")
                ),
            ]
        },
        labels=dict.fromkeys("ACDGHMNO", 2),
        groups=8,
    ),
    "nikhilpandey360/chest-xray-masks-and-labels": Replica(
        images=[
            "Lung Segmentation/CXR_png/CHNCXR_000{1..6}_{0,1}.png",
            "Lung Segmentation/CXR_png/MCUCXR_000{1..3}_0.png",
            "Lung Segmentation/test/CHNCXR_033{6..8}_0.png",
        ],
        masks=[
            "Lung Segmentation/masks/CHNCXR_000{1..4}_{0,1}_mask.png",
            "Lung Segmentation/masks/MCUCXR_000{1..3}_0.png",
        ],
        others=["Lung Segmentation/ClinicalReadings/CHNCXR_000{1..6}_0.txt", "Lung Segmentation/NLM-ReadMe.docx"],
        again={"Lung Segmentation": "data/Lung Segmentation"},
        labels={"unlabelled": 11},
        groups=4 + 3,
        masked=11,
    ),
    "andrewmvd/drive-digital-retinal-images-for-vessel-extraction": Replica(
        images=["DRIVE/training/images/{21..26}_training.tif", "DRIVE/test/images/0{1..3}_test.tif"],
        masks=[
            "DRIVE/training/1st_manual/{21..26}_manual1.gif",
            "DRIVE/training/mask/{21..26}_training_mask.gif",
            "DRIVE/test/mask/0{1..3}_test_mask.gif",
        ],
        labels={"unlabelled": 6},
        masked=6,
    ),
    "cjinny/mura-v11": Replica(
        images=[
            "MURA-v1.1/train/XR_SHOULDER/patient0000{1..3}/study1_positive/image{1..2}.png",
            "MURA-v1.1/train/XR_WRIST/patient0000{3..4}/study2_negative/image1.png",
            "MURA-v1.1/train/XR_WRIST/patient0000{4..5}/study1_negative/image1.png",
            "MURA-v1.1/train/XR_WRIST/patient0000{6..7}/study2_positive/image1.png",
            "MURA-v1.1/valid/XR_WRIST/patient11185/study1_positive/image1.png",
            "MURA-v1.1/valid/XR_WRIST/patient11186/study1_negative/image1.png",
        ],
        others=["MURA-v1.1/train/XR_WRIST/patient00004/study1_negative/._image1.png"],
        tables={
            "MURA-v1.1/train_image_paths.csv": ["MURA-v1.1/train/XR_WRIST/patient00004/study1_negative/image1.png"],
            "MURA-v1.1/train_labeled_studies.csv": ["MURA-v1.1/train/XR_WRIST/patient0000{4..5}/study1_negative/,0"],
        },
        labels={"negative": 5, "positive": 9},
        splits={"train": 12, "val": 2},
        groups=9,
    ),
    "bmadushanirodrigo/fracture-multi-region-x-ray-data": Replica(
        images=[
            "Bone_Fracture_Binary_Classification/Bone_Fracture_Binary_Classification/{train,val,test}/"
            "{fractured,not fractured}/{10..12}-rotated{1..2}-rotated1.jpg"
        ],
        labels={"fractured": 18, "not fractured": 18},
        splits={"train": 12, "val": 12, "test": 12},
        groups=6,
    ),
    "athina123/ph2dataset": Replica(
        images=[
            f"PH2Dataset/PH2 Dataset images/{name}/{name}_Dermoscopic_Image/{name}.bmp"
            for name in ("IMD002", "IMD003", "IMD004")
        ],
        masks=[
            *(
                f"PH2Dataset/PH2 Dataset images/{name}/{name}_lesion/{name}_lesion.bmp"
                for name in ("IMD002", "IMD003", "IMD004")
            ),
            "PH2Dataset/PH2 Dataset images/IMD003/IMD003_roi/IMD003_R1_Label4.bmp",
        ],
        others=["PH2Dataset/PH2_dataset.{txt,xlsx}"],
        labels={"unlabelled": 3},
        masked=3,
    ),
    "andrewmvd/leukemia-classification": Replica(
        images=[
            "C-NMC_Leukemia/training_data/fold_{0..2}/all/UID_{11,12}_{1..2}_1_all.bmp",
            "C-NMC_Leukemia/training_data/fold_{0..2}/hem/UID_H{10,14}_{1..2}_1_hem.bmp",
            "C-NMC_Leukemia/validation_data/C-NMC_test_prelim_phase_data/{1..4}.bmp",
            "C-NMC_Leukemia/testing_data/C-NMC_test_final_phase_data/{1..4}.bmp",
        ],
        tables={
            "C-NMC_Leukemia/validation_data/C-NMC_test_prelim_phase_data_labels.csv": [
                "Patient_ID,new_names,labels",
                "UID_57_29_1_all.bmp,{1..4}.bmp,1",
            ]
        },
        labels={"all": 12, "hem": 12},
        groups=4,
    ),
    "mariaherrerot/idrid-dataset": Replica(
        images=["Imagenes/Imagenes/IDRiD_00{1..5}{,test}.jpg"],
        tables={"idrid_labels.csv": ["id_code,diagnosis", *(f"IDRiD_00{n + 1}{{,test}},{n}" for n in range(5))]},
        labels={str(grade): 2 for grade in range(5)},
    ),
    "aaryapatel98/indian-diabetic-retinopathy-image-dataset": Replica(
        images=[
            "B.%20Disease%20Grading/B. Disease Grading/1. Original Images/{a. Training,b. Testing} Set/"
            "IDRiD_00{1..5}.jpg",
            "A.%20Segmentation/A. Segmentation/1. Original Images/a. Training Set/IDRiD_0{1..3}.jpg",
        ],
        masks=[
            "A.%20Segmentation/A. Segmentation/2. All Segmentation Groundtruths/a. Training Set/1. Microaneurysms/"
            "IDRiD_0{1..3}_MA.tif"
        ],
        tables={
            f"B.%20Disease%20Grading/B. Disease Grading/2. Groundtruths/{mark} Labels.csv": [
                "Image name,Retinopathy grade,Risk of macular edema ,,,",
                *(f"IDRiD_00{n + 1},{n},{n % 3},,," for n in range(5)),
            ]
            for mark in ("a. IDRiD_Disease Grading_Training", "b. IDRiD_Disease Grading_Testing")
        },
        labels={str(grade): 2 for grade in range(5)},
        splits={"train": 5, "test": 5},
    ),
    "fanconic/skin-cancer-malignant-vs-benign": Replica(
        images=["{train,test}/{benign,malignant}/{3..6}.jpg"],
        again={"train": "data/train", "test": "data/test"},
        labels={"benign": 8, "malignant": 8},
        splits={"train": 8, "test": 8},
    ),
    "iarunava/cell-images-for-detecting-malaria": Replica(
        images=[
            "cell_images/cell_images/Parasitized/C33P1thinF_IMG_20150619_114756a_cell_{179..181}.png",
            "cell_images/cell_images/Parasitized/C37BP2_thinF_IMG_20150620_133001a_cell_{77..78}.png",
            "cell_images/cell_images/Uninfected/C33P1thinF_IMG_20150619_114756a_cell_{1..2}.png",
            "cell_images/cell_images/Uninfected/C1_thinF_IMG_20150604_104722_cell_{9..10}.png",
        ],
        others=["cell_images/cell_images/{Parasitized,Uninfected}/Thumbs.db"],
        again={
            "cell_images/cell_images/Parasitized": "cell_images/Parasitized",
            "cell_images/cell_images/Uninfected": "cell_images/Uninfected",
        },
        labels={"Parasitized": 5, "Uninfected": 4},
        groups=3,
    ),
    "tourist55/alzheimers-dataset-4-class-of-images": Replica(
        images=[
            "Alzheimer_s Dataset/train/{MildDemented/mild,ModerateDemented/moderate,NonDemented/non}Dem{0..2}.jpg",
            "Alzheimer_s Dataset/train/VeryMildDemented/verymildDem{0..2}.jpg",
            "Alzheimer_s Dataset/test/{MildDemented,ModerateDemented,NonDemented,VeryMildDemented}/26 ({1..2}).jpg",
        ],
        labels={"MildDemented": 5, "ModerateDemented": 5, "NonDemented": 5, "VeryMildDemented": 5},
        splits={"train": 12, "test": 8},
    ),
    "uraninjo/augmented-alzheimer-mri-dataset": Replica(
        images=[
            "{Original,AugmentedAlzheimer}Dataset/{MildDemented,ModerateDemented,NonDemented,VeryMildDemented}/{1..3}.jpg"
        ],
        labels={"MildDemented": 3, "ModerateDemented": 3, "NonDemented": 3, "VeryMildDemented": 3},
    ),
    "mohamedhanyyy/chest-ctscan-images": Replica(
        images=[
            "Data/test/{adenocarcinoma,large.cell.carcinoma,squamous.cell.carcinoma}/000108 ({3..4}).png",
            "Data/test/normal/6 - Copy{, (2), (2) - Copy}.png",
            *(
                f"Data/{split}/{name}/00000{{0..2}} (6).png"
                for split in ("train", "valid")
                for name in (
                    "adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib",
                    "large.cell.carcinoma_left.hilum_T2_N2_M0_IIIa",
                    "squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa",
                    "normal",
                )
            ),
        ],
        labels={"adenocarcinoma": 8, "large.cell.carcinoma": 8, "normal": 9, "squamous.cell.carcinoma": 8},
        splits={"train": 12, "val": 12, "test": 9},
    ),
    "plameneduardo/sarscov2-ctscan-dataset": Replica(
        images=["COVID/Covid ({1..4}).png", "non-COVID/Non-Covid ({1..3}).png"],
        labels={"COVID": 4, "non-COVID": 3},
    ),
    "balraj98/cvcclinicdb": Replica(
        images=["PNG/Original/{1..12}.png", "TIF/Original/{1..12}.tif"],
        masks=["PNG/Ground Truth/{1..12}.png", "TIF/Ground Truth/{1..12}.tif"],
        tables={"class_dict.csv": ["class_name,r,g,b", "polyp,255,255,255", "background,0,0,0"]},
        labels={"unlabelled": 12},
        masked=12,
    ),
    "nazmul0087/ct-kidney-dataset-normal-cyst-tumor-and-stone": Replica(
        images=[
            "CT-KIDNEY-DATASET-Normal-Cyst-Tumor-Stone/CT-KIDNEY-DATASET-Normal-Cyst-Tumor-Stone/"
            "{Cyst/Cyst,Normal/Normal,Stone/Stone,Tumor/Tumor}- ({1..3}).jpg"
        ],
        tables={
            "kidneyData.csv": [
                ",image_id,path,diag,target,Class",
                "0,Tumor- ({1..3}),/content/data/Tumor/Tumor- (1).jpg,Tumor,3,Tumor",
            ]
        },
        labels={"Cyst": 3, "Normal": 3, "Stone": 3, "Tumor": 3},
    ),
    "gunavenkatdoddi/eye-diseases-classification": Replica(
        images=[
            "dataset/{cataract,glaucoma,normal}/_{0..2}_1234567.jpg",
            "dataset/diabetic_retinopathy/10{0..2}_left.jpeg",
        ],
        labels={"cataract": 3, "diabetic_retinopathy": 3, "glaucoma": 3, "normal": 3},
    ),
    "tawsifurrahman/tuberculosis-tb-chest-xray-dataset": Replica(
        images=["TB_Chest_Radiography_Database/{Normal/Normal,Tuberculosis/Tuberculosis}-{1..4}.png"],
        others=["TB_Chest_Radiography_Database/{Normal,Tuberculosis}.metadata.xlsx"],
        labels={"Normal": 4, "Tuberculosis": 4},
    ),
    "kmader/rsna-bone-age": Replica(
        images=[
            "boneage-training-dataset/boneage-training-dataset/{1377..1386}.png",
            "boneage-test-dataset/boneage-test-dataset/{4360..4363}.png",
        ],
        tables={
            "boneage-training-dataset.csv": [
                "id,boneage,male",
                *(f"{1377 + number},{100 + number},True" for number in range(10)),
            ],
            "boneage-test-dataset.csv": ["Case ID,Sex", "43{60..63},M"],
        },
        labels={f"{low} to {low + 1} months": 2 for low in range(100, 110, 2)},
    ),
    "shashwatwork/knee-osteoarthritis-dataset-with-severity": Replica(
        images=[
            "train/{0,1,2,3,4}/900000{1,2}{L,R}.png",
            "{val,test}/{0,1,2,3,4}/900500{3,4}L.png",
            "auto_test/{0,1,2,3,4}/9005003_1.png",
        ],
        labels={str(grade): 8 for grade in range(5)},
        splits={"train": 20, "val": 10, "test": 10},
        groups=4,
    ),
    "andyczhao/covidx-cxr2": Replica(
        images=["train/MIDRC-RICORD-1C-{1..6}.png", "val/RICORD-{1..4}.png", "test/COVID-{1..4}.png"],
        tables={
            "train.txt": [
                "a1 MIDRC-RICORD-1C-{1..2}.png positive ricord",
                "a2 MIDRC-RICORD-1C-3.png positive ricord",
                "b4 MIDRC-RICORD-1C-{4..6}.png negative rsna",
            ],
            "val.txt": ["c1 RICORD-{1..2}.png positive cohen", "d1 RICORD-{3..4}.png negative rsna"],
            "test.txt": ["e1 COVID-{1..2}.png positive cohen", "f1 COVID-{3..4}.png negative rsna"],
        },
        labels={"negative": 7, "positive": 7},
        splits={"train": 6, "val": 4, "test": 4},
        groups=7,
    ),
    "felipekitamura/head-ct-hemorrhage": Replica(
        images=["head_ct/head_ct/{000..009}.png"],
        tables={"labels.csv": ["id, hemorrhage", "{0..4},1", "{5..9},0"]},
        labels={"0": 5, "1": 5},
    ),
    "andrewmvd/malignant-lymphoma-classification": Replica(
        images=["CLL/sj-03-476_00{1..3}.tif", "FL/sj-05-588-R1_00{1..3}.tif", "MCL/sj-04-3077-R2_00{2..4}.tif"],
        labels={"CLL": 3, "FL": 3, "MCL": 3},
        groups=3,
    ),
    "jr2ngb/cataractdataset": Replica(
        images=["dataset/{1_normal/NL,2_cataract/cataract,2_glaucoma/Glaucoma,3_retina_disease/Retina}_00{1..3}.png"],
        others=["README.md"],
        labels={"1_normal": 3, "2_cataract": 3, "2_glaucoma": 3, "3_retina_disease": 3},
    ),
    "denizkavi1/brain-tumor": Replica(images=["{1,2,3}/{10..14}.png"], labels={"1": 5, "2": 5, "3": 5}),
    "tolgadincer/labeled-chest-xray-images": Replica(
        images=[
            "chest_xray/{train,test}/NORMAL/NORMAL-10090{15,16}-000{1,2}.jpeg",
            "chest_xray/{train,test}/PNEUMONIA/{BACTERIA-1008087,VIRUS-1008088}-000{1,2}.jpeg",
        ],
        labels={"NORMAL": 8, "PNEUMONIA": 8},
        splits={"train": 8, "test": 8},
        groups=4,
    ),
    "vbookshelf/pneumothorax-chest-xray-images-and-masks": Replica(
        images=["siim-acr-pneumothorax/png_images/{0..5}_{train,test}_1_.png"],
        masks=["siim-acr-pneumothorax/png_masks/{0..5}_{train,test}_1_.png"],
        tables={"siim-acr-pneumothorax/stage_1_train_images.csv": ["new_filename,has_pneumo", "{0..5}_train_1_.png,1"]},
        labels={"unlabelled": 12},
        masked=12,
    ),
    "obulisainaren/retinal-oct-c8": Replica(
        images=[
            "RetinalOCT_Dataset/RetinalOCT_Dataset/{train,val,test}/{AMD,CNV,CSR,DME,DR,DRUSEN,MH,NORMAL}/oct_100{1..2}.jpg"
        ],
        labels=dict.fromkeys(("AMD", "CNV", "CSR", "DME", "DR", "DRUSEN", "MH", "NORMAL"), 6),
        splits={"train": 16, "val": 16, "test": 16},
    ),
    "hasnainjaved/melanoma-skin-cancer-dataset-of-10000-images": Replica(
        images=["melanoma_cancer_dataset/{train,test}/{benign,malignant}/melanoma_{1..3}.jpg"],
        labels={"benign": 6, "malignant": 6},
        splits={"train": 6, "test": 6},
    ),
    "nodoubttome/skin-cancer9-classesisic": Replica(
        images=[
            "Skin cancer ISIC The International Skin Imaging Collaboration/{Train,Test}/{actinic keratosis,"
            "basal cell carcinoma,dermatofibroma,melanoma,nevus,pigmented benign keratosis,seborrheic keratosis,"
            "squamous cell carcinoma,vascular lesion}/ISIC_002{5780..5781}.jpg"
        ],
        labels=dict.fromkeys(
            (
                "actinic keratosis",
                "basal cell carcinoma",
                "dermatofibroma",
                "melanoma",
                "nevus",
                "pigmented benign keratosis",
                "seborrheic keratosis",
                "squamous cell carcinoma",
                "vascular lesion",
            ),
            4,
        ),
        splits={"train": 18, "test": 18},
    ),
    "prashant268/chest-xray-covid19-pneumonia": Replica(
        images=["Data/{train,test}/{COVID19/COVID19,NORMAL/NORMAL,PNEUMONIA/PNEUMONIA}({1..3}).jpg"],
        labels={"COVID19": 6, "NORMAL": 6, "PNEUMONIA": 6},
        splits={"train": 9, "test": 9},
    ),
    "mohammedakheelsb/fetal-head-abnormalities-classification": Replica(
        images=["{train,valid,test}/" + f"{number}_aug_{{1..2}}.png" for number in range(14)],
        tables={
            f"{split}/_classes.csv": [
                ",".join(["filename", *(f" {name}" for name in FETAL)]),
                *(
                    f"{number}_aug_{{1..2}}.png," + ",".join(f"{int(at == number)}" for at in range(14))
                    for number in range(14)
                ),
            ]
            for split in ("train", "valid", "test")
        },
        labels=dict.fromkeys(FETAL, 6),
        splits={"train": 28, "val": 28, "test": 28},
        groups=14,
    ),
}
