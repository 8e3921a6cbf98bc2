use std::time::{Duration, Instant};

use dermalia_findings::{BaseTexture, Findings, ParameterMap};
use dermalia_scan::manifest::Space;
use dermalia_scan::{Limits, Scan};
use dermalia_surface::{Mesh, Vec3};

use crate::blocks::Blocks;
use crate::preparation::{self, Prepared};
use crate::structure::{DensityTable, structure};
use crate::{
    AnalysisError, Context, Outcome, assembly, exposure, masks, pores, quality, skin_colour,
    texture, thumbnails, wrinkles,
};
use crate::{left_out, mesh_relief, photo, plausible, projection};

/// A part of the analysis, for progress and timing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What was done.
    pub name: &'static str,
    /// Wall time; colour and form are measured side by side where there is more than one
    /// thread.
    pub took: Duration,
}

/// How to analyse. The results do not depend on anything here but the limits.
#[derive(Default)]
pub struct Options<'a> {
    /// Limits of decoding.
    pub limits: Limits,
    /// Told about each stage when it ends.
    pub on_stage: Option<&'a (dyn Fn(Stage) + Sync)>,
}

/// All that is known after an analysis.
#[derive(Debug)]
pub struct Analysis {
    /// The findings of the contract.
    pub findings: Findings,
    /// One map a measured parameter, at most 2048 pixels a side.
    pub maps: Vec<ParameterMap>,
    /// The picture they lie over.
    pub base: BaseTexture,
    /// The surface with the atlas that both lie in; a flat sheet for a photograph.
    pub mesh: Mesh,
    /// Whether the surface is one: false for a photograph.
    pub has_surface: bool,
    /// The landmarks of the face on it, in its frame, where one was found.
    pub landmarks_mm: Option<Vec<Vec3>>,
}

/// Times the stages; the clock goes to the caller only, never into a result.
struct Clock<'a> {
    on_stage: Option<&'a (dyn Fn(Stage) + Sync)>,
    since: Instant,
}

impl<'a> Clock<'a> {
    fn start(on_stage: Option<&'a (dyn Fn(Stage) + Sync)>) -> Self {
        Self {
            on_stage,
            since: Instant::now(),
        }
    }

    fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        if let Some(f) = self.on_stage {
            f(Stage {
                name,
                took: now.duration_since(self.since),
            });
        }
        self.since = now;
    }
}

/// Measures a scan.
///
/// # Errors
/// [`AnalysisError::is_refusal`] tells the bundle's faults from our own.
pub fn analyze(scan: &Scan, options: &Options<'_>) -> Result<Analysis, AnalysisError> {
    let mut clock = Clock::start(options.on_stage);
    plausible::check(scan)?;
    let mut prepared = prepare(scan, options, &mut clock)?;
    masks::hide(&mut prepared.atlas, &prepared.pictures);
    clock.lap("masks");
    let relief = prepared.relief.take();
    let relief_fault = relief.as_ref().and_then(|r| r.fault(&prepared.atlas));
    prepared.relief = relief.filter(|_| relief_fault.is_none());
    prepared.warnings.extend(relief_fault.clone());
    if prepared.relief.is_none() && prepared.has_surface {
        prepared.relief = mesh_relief::relief(&prepared.atlas);
        clock.lap("mesh relief");
    }
    let ctx = Context {
        relief_fault,
        ..Context::new(
            &prepared.atlas,
            &prepared.pictures,
            prepared.relief.as_ref(),
            scan.manifest.capture.skin,
        )
    };
    // Side by side, since they ask nothing of each other: where one has to do things one after
    // the other, the rest of the processor has the other's to do.
    let ((wrinkles, pores, texture), colour) = rayon::join(
        || form(&ctx, &mut Clock::start(options.on_stage)),
        || {
            let mut clock = Clock::start(options.on_stage);
            let colour = skin_colour::look(&ctx, prepared.ultraviolet, &options.limits);
            clock.lap("colour");
            colour
        },
    );
    clock.since = Instant::now();
    let colour = colour?.measured(wrinkles.features.iter().chain(&pores.features));
    let clipped_elsewhere =
        exposure::most_clipped(&prepared.unmeasured, ctx.atlas).max(colour.clipped);
    let mut quality = quality::measure(&ctx, colour.unevenness.map(|u| u.range), clipped_elsewhere);
    quality
        .warnings
        .splice(0..0, prepared.warnings.iter().cloned());
    clock.lap("quality");
    let outcomes = [
        wrinkles,
        pores,
        texture,
        colour.pigmentation,
        colour.redness,
    ];
    let findings = assembly::findings(
        &scan.manifest,
        &ctx,
        prepared.has_face,
        quality,
        colour.unevenness,
        &outcomes,
    );
    let maps = outcomes
        .iter()
        .filter_map(|o| o.map.as_ref())
        .map(|m| thumbnails::reduce_map(ctx.atlas, m))
        .collect();
    clock.lap("maps");
    Ok(Analysis {
        findings,
        maps,
        base: prepared.base,
        mesh: prepared.atlas.mesh,
        has_surface: prepared.has_surface,
        landmarks_mm: prepared.landmarks_mm,
    })
}

/// Wrinkles, pores and texture.
fn form(ctx: &Context<'_>, clock: &mut Clock<'_>) -> (Outcome, Outcome, Outcome) {
    let table = DensityTable::new();
    let blocks = Blocks::of(ctx.atlas);
    let mut structure = structure(ctx, &blocks, &table);
    clock.lap("structure");
    let size = ctx.atlas.median_mm_per_px();
    let pits = pores::find(ctx, &blocks, structure.as_ref(), &table, size);
    clock.lap("pores");
    let lines = wrinkles::find(ctx, &blocks, structure.as_mut(), &table, &pits, size);
    let (wrinkles, pores) = rayon::join(
        || wrinkles::measure(ctx, structure.as_ref(), &lines, size),
        || pores::measure(ctx, structure.as_ref(), pits, &lines, size),
    );
    drop(structure);
    clock.lap("wrinkles");
    let texture = texture::measure(ctx, size);
    clock.lap("texture");
    (wrinkles, pores, texture)
}

/// Brings what is measured to one raster, and tells what is not.
fn prepare<'a>(
    scan: &'a Scan,
    options: &Options<'_>,
    clock: &mut Clock<'_>,
) -> Result<Prepared<'a>, AnalysisError> {
    let (mut prepared, measured) = choose(scan, &options.limits, clock)?;
    let left_out = left_out::warnings(&scan.manifest, measured, prepared.relief.is_some());
    prepared.warnings.extend(left_out);
    Ok(prepared)
}

/// Chooses the pictures that are measured, and tells their space: those in the atlas, else
/// camera photographs on the surface, else flat pictures. A relief in the atlas goes with the
/// first two; where there is neither, it is measured alone.
fn choose<'a>(
    scan: &'a Scan,
    limits: &Limits,
    clock: &mut Clock<'_>,
) -> Result<(Prepared<'a>, Space), AnalysisError> {
    let textures = preparation::encoded(scan, Space::Texture);
    let has_cameras = !preparation::encoded(scan, Space::Camera).is_empty();
    let relief_entry = scan.manifest.relief.as_ref();
    let has_relief =
        scan.relief.is_some() && relief_entry.is_some_and(|r| r.space == Space::Texture);
    let with_atlas = scan.mesh.as_ref().filter(|m| m.has_atlas());
    if let Some(mesh) = with_atlas
        && (!textures.is_empty() || (has_relief && !has_cameras))
    {
        let prepared = preparation::on_atlas(scan, mesh, &textures, limits, &mut |stage| {
            clock.lap(stage);
        })?;
        return Ok((prepared, Space::Texture));
    }
    // Without a surface, what lies in its atlas is still in register with itself.
    if !textures.is_empty() {
        let (textures, levels) = rayon::join(
            || preparation::decode(scan, Space::Texture, limits),
            || preparation::decode_relief(scan, &[Space::Texture], limits),
        );
        let (textures, levels) = (textures?, levels?);
        clock.lap("decode");
        let prepared = photo::flat(scan, textures, levels, true)?;
        clock.lap("register");
        return Ok((prepared, Space::Texture));
    }
    if has_cameras {
        let (cameras, levels) = rayon::join(
            || preparation::decode(scan, Space::Camera, limits),
            // Only the atlas that it was made for tells where it lies.
            || match with_atlas {
                Some(_) => preparation::decode_relief(scan, &[Space::Texture], limits),
                None => Ok(None),
            },
        );
        let (cameras, levels) = (cameras?, levels?);
        clock.lap("decode");
        let prepared = match &scan.mesh {
            Some(mesh) => projection::on_surface(scan, mesh, &cameras, levels.as_ref()),
            None => photo::flat(scan, cameras, None, false),
        };
        clock.lap("project");
        // Photographs of something else leave the relief what it is.
        if let (Err(AnalysisError::NothingToMeasure(_)), Some(_), Some(mesh)) =
            (&prepared, &levels, with_atlas)
        {
            let alone = preparation::on_atlas(scan, mesh, &[], limits, &mut |stage| {
                clock.lap(stage);
            })?;
            return Ok((alone, Space::Texture));
        }
        return Ok((prepared?, Space::Camera));
    }
    let photos = preparation::decode(scan, Space::Photo, limits)?;
    if !photos.is_empty() {
        let levels = preparation::decode_relief(scan, &[Space::Photo], limits)?;
        let prepared = photo::flat(scan, photos, levels, false)?;
        clock.lap("photograph");
        return Ok((prepared, Space::Photo));
    }
    if let Some(mesh) = &scan.mesh {
        let prepared = preparation::on_mesh_alone(scan, mesh)?;
        clock.lap("register");
        return Ok((prepared, Space::Texture));
    }
    Err(AnalysisError::NothingToMeasure(
        "it has neither a picture nor a surface".to_owned(),
    ))
}
