//! The parts of a glTF document that carry geometry. Everything else is skipped unread.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// More objects of a kind than any scanner writes; bounds what a hostile document costs.
const MAX_OBJECTS: usize = 65_536;

/// A list within [`MAX_OBJECTS`].
#[derive(Debug, Clone)]
pub(crate) struct Bounded<T>(pub(crate) Vec<T>);

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Bounded<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX_OBJECTS}")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if list.len() == MAX_OBJECTS {
                        return Err(A::Error::invalid_length(list.len() + 1, &self));
                    }
                    list.push(item);
                }
                Ok(Bounded(list))
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document<'a> {
    #[serde(borrow)]
    pub(crate) asset: Asset<'a>,
    #[serde(borrow, default)]
    pub(crate) extensions_required: Bounded<Cow<'a, str>>,
    pub(crate) scene: Option<u32>,
    #[serde(default)]
    pub(crate) scenes: Bounded<Scene>,
    #[serde(default)]
    pub(crate) nodes: Bounded<Node>,
    #[serde(default)]
    pub(crate) meshes: Bounded<GltfMesh>,
    #[serde(default)]
    pub(crate) accessors: Bounded<Accessor>,
    #[serde(default)]
    pub(crate) buffer_views: Bounded<BufferView>,
    #[serde(borrow, default)]
    pub(crate) buffers: Bounded<Buffer<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asset<'a> {
    #[serde(borrow)]
    pub(crate) version: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) min_version: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Scene {
    #[serde(default)]
    pub(crate) nodes: Bounded<u32>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    #[serde(default)]
    pub(crate) children: Bounded<u32>,
    pub(crate) mesh: Option<u32>,
    pub(crate) skin: Option<u32>,
    pub(crate) matrix: Option<[f64; 16]>,
    pub(crate) translation: Option<[f64; 3]>,
    pub(crate) rotation: Option<[f64; 4]>,
    pub(crate) scale: Option<[f64; 3]>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct GltfMesh {
    pub(crate) primitives: Bounded<Primitive>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Primitive {
    pub(crate) attributes: Attributes,
    pub(crate) indices: Option<u32>,
    pub(crate) mode: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Attributes {
    #[serde(rename = "POSITION")]
    pub(crate) position: Option<u32>,
    #[serde(rename = "TEXCOORD_0")]
    pub(crate) uv: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accessor {
    pub(crate) buffer_view: Option<u32>,
    #[serde(default)]
    pub(crate) byte_offset: u64,
    pub(crate) component_type: u32,
    #[serde(default)]
    pub(crate) normalized: bool,
    pub(crate) count: u64,
    #[serde(rename = "type")]
    pub(crate) shape: Shape,
    pub(crate) sparse: Option<Sparse>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Shape {
    #[serde(rename = "SCALAR")]
    Scalar,
    #[serde(rename = "VEC2")]
    Vec2,
    #[serde(rename = "VEC3")]
    Vec3,
    #[serde(rename = "VEC4")]
    Vec4,
    #[serde(rename = "MAT2")]
    Mat2,
    #[serde(rename = "MAT3")]
    Mat3,
    #[serde(rename = "MAT4")]
    Mat4,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Sparse {
    pub(crate) count: u64,
    pub(crate) indices: SparseIndices,
    pub(crate) values: SparseValues,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SparseIndices {
    pub(crate) buffer_view: u32,
    #[serde(default)]
    pub(crate) byte_offset: u64,
    pub(crate) component_type: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SparseValues {
    pub(crate) buffer_view: u32,
    #[serde(default)]
    pub(crate) byte_offset: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BufferView {
    pub(crate) buffer: u32,
    #[serde(default)]
    pub(crate) byte_offset: u64,
    pub(crate) byte_length: u64,
    pub(crate) byte_stride: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Buffer<'a> {
    #[serde(borrow)]
    pub(crate) uri: Option<Cow<'a, str>>,
    pub(crate) byte_length: u64,
}
